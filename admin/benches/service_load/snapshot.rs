//! Reads all App IDs page by page, as a gateway with `cache.mode: full` does.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::Client;
use crate::endpoints::quantile;
use crate::service::{Service, database_processor};

pub(crate) async fn measure(service: &Service, url: &str) -> Value {
    service.forget_largest_memory();
    let (used, used_by_database) = (service.processor(), database_processor(url));
    let mut client = Client::connect(service.address).await;
    let begun = Instant::now();
    let (mut pages, mut bytes, mut total) = (Vec::new(), 0, 0);
    let mut ids = HashSet::new();
    let mut offset = String::new();
    loop {
        let asked = Instant::now();
        let target = format!("/appids?size=1000{offset}");
        let (status, body) = client.send("GET", &target, None).await;
        pages.push(asked.elapsed().as_micros().try_into().unwrap_or(u64::MAX));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        bytes += body.len();
        let page: admin_api::AppIdPage = serde_json::from_slice(&body).expect("a page");
        total = page.total.max(total);
        ids.extend(page.data.into_iter().map(|it| it.id));
        match page.offset {
            Some(next) => offset = format!("&offset={next}"),
            None => break,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    assert_eq!(ids.len() as u64, total, "each App ID is in one page");
    let (memory, largest) = service.memory();
    pages.sort_unstable();
    json!({
        "app_ids": total,
        "pages": pages.len(),
        "bytes": bytes,
        "seconds": seconds,
        "page_p50_us": quantile(&pages, 0.5),
        "page_p99_us": quantile(&pages, 0.99),
        "page_max_us": pages.last(),
        "service_seconds": (service.processor() - used).as_secs_f64(),
        "database_seconds": (database_processor(url) - used_by_database).as_secs_f64(),
        "memory_kb": memory,
        "memory_max_kb": largest,
    })
}
