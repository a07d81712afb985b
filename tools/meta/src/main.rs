//! Writes the JSON Schema of each filter's settings beside its Wasm, where Kong looks for it:
//! `gatehouse-meta dist/filters`.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: gatehouse-meta <directory>");
        return ExitCode::FAILURE;
    };
    let all = [
        runtime::meta::<gatehouse_app_id::AppId>(),
        runtime::meta::<gatehouse_bot_detection::BotDetection>(),
        runtime::meta::<gatehouse_cors::Cors>(),
        runtime::meta::<gatehouse_ip_restriction::IpRestriction>(),
        runtime::meta::<gatehouse_jwt_auth::JwtAuth>(),
        runtime::meta::<gatehouse_key_auth::KeyAuth>(),
        runtime::meta::<gatehouse_moesif::Moesif>(),
        runtime::meta::<gatehouse_rate_limiting::RateLimiting>(),
        runtime::meta::<gatehouse_request_termination::RequestTermination>(),
        runtime::meta::<gatehouse_request_transformer::RequestTransformer>(),
        runtime::meta::<gatehouse_session::Session>(),
        runtime::meta::<gatehouse_upstream_jwt::UpstreamJwt>(),
    ];
    for (name, meta) in all {
        let path = directory.join(format!("gatehouse_{name}.meta.json"));
        let text = format!("{meta:#}\n");
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
