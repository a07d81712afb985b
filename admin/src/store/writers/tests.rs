//! Each rule holds on SQLite and on PostgreSQL.

use std::collections::BTreeSet;

use sqlx::Row as _;
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::{join, select};

use super::*;
use crate::counting::{Batch, Entry};
use crate::postgres::Postgres;
use crate::store::Consumer;

/// An empty database.
struct Bed {
    store: Arc<Store>,
    /// The directory of SQLite's file.
    _directory: tempfile::TempDir,
}

impl Bed {
    async fn on_sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("x.db").display());
        Self::at(&url, directory).await
    }

    async fn on_postgres(server: &Postgres) -> Self {
        Self::at(&server.database(), tempfile::tempdir().unwrap()).await
    }

    async fn at(url: &str, directory: tempfile::TempDir) -> Self {
        let store = Store::open(url, 100_000).await.unwrap();
        Self { store: Arc::new(store), _directory: directory }
    }

    async fn of_each_kind() -> [Self; 2] {
        [Self::on_sqlite().await, Self::on_postgres(Postgres::shared()).await]
    }
}

/// Waits until `number` writers wait for their turn.
async fn others_wait(store: &Store, number: usize) {
    while store.writers.waiting.load(Ordering::SeqCst) < number {
        yield_now().await;
    }
}

/// Adds a consumer, which is one change.
async fn add(tx: &mut Tx, name: &str) -> sqlx::Result<()> {
    let new = Consumer {
        id: format!("id-{name}"),
        username: Some(name.to_owned()),
        custom_id: None,
        tags: None,
        created_at: 1,
        updated_at: 1,
    };
    tx.insert_consumer(&new).await
}

/// Adds 3 to a counter.
fn batch(id: Option<&str>) -> Batch {
    let entry =
        Entry { counter: "c".into(), by: 3, limit: None, previous: None, expires_at: i64::MAX };
    Batch { entries: vec![entry], all_or_nothing: false, id: id.map(str::to_owned) }
}

async fn names(tx: &mut Tx) -> sqlx::Result<Vec<String>> {
    let names = sqlx::query_scalar("SELECT username FROM consumers ORDER BY username");
    names.fetch_all(tx.connection()).await
}

/// Returns the names that a reader finds. The log must have a change for each of them and no other,
/// without a hole, and each with a mark of its own.
async fn stored(store: &Store) -> Vec<String> {
    let mut tx = store.read().await.unwrap();
    let stored = names(&mut tx).await.unwrap();
    let log = sqlx::query("SELECT seq, mark, name FROM changes ORDER BY seq");
    let log = log.fetch_all(tx.connection()).await.unwrap();
    assert_eq!(i64::try_from(log.len()).unwrap(), tx.seq);
    assert!((1..).zip(&log).all(|(seq, row)| row.get::<i64, _>("seq") == seq));
    let mut changed: Vec<String> = log.iter().map(|row| row.get("name")).collect();
    changed.sort();
    assert_eq!(changed, stored);
    let marks: BTreeSet<String> = log.iter().map(|row| row.get("mark")).collect();
    assert_eq!(marks.len(), log.len());
    stored
}

#[tokio::test]
async fn writers_that_wait_share_a_transaction_and_are_answered_after_its_commit() {
    for bed in Bed::of_each_kind().await {
        let (store, answered) = (&*bed.store, AtomicUsize::new(0));
        let write = async |name, others| {
            let seen = store.write(async |tx| {
                others_wait(store, others).await;
                add(tx, name).await?;
                assert_eq!(answered.load(Ordering::SeqCst), 0);
                assert_eq!(stored(store).await, [""; 0], "readers see what is committed");
                names(tx).await
            });
            let seen: sqlx::Result<_> = seen.await;
            answered.fetch_add(1, Ordering::SeqCst);
            assert!(stored(store).await.contains(&name.to_owned()));
            seen.unwrap().concat()
        };
        let seen = join!(biased; write("a", 2), write("b", 1), write("c", 0));
        assert_eq!(seen, ("a".into(), "ab".into(), "abc".into()));
        assert_eq!(stored(store).await, ["a", "b", "c"]);
    }
}

#[tokio::test]
async fn a_refused_writer_leaves_nothing_behind_and_is_answered_after_the_commit_as_well() {
    for bed in Bed::of_each_kind().await {
        let (store, answered) = (&*bed.store, AtomicUsize::new(0));
        let write = async |name, others, refused: bool| {
            let done = store.write(async |tx| {
                others_wait(store, others).await;
                add(tx, name).await?;
                assert_eq!(answered.load(Ordering::SeqCst), 0);
                if refused { Err(sqlx::Error::RowNotFound) } else { Ok(()) }
            });
            let done = done.await;
            answered.fetch_add(1, Ordering::SeqCst);
            done
        };
        let (a, b, c, again, d) = join!(
            biased;
            write("a", 4, false),
            write("b", 3, true),
            write("c", 2, false),
            write("c", 1, false),
            write("d", 0, false),
        );
        assert!(a.is_ok() && c.is_ok() && d.is_ok());
        assert!(matches!(b, Err(sqlx::Error::RowNotFound)));
        assert!(matches!(again, Err(sqlx::Error::Database(why)) if why.is_unique_violation()));
        assert_eq!(stored(store).await, ["a", "c", "d"]);

        // The first writer of a transaction has no savepoint.
        answered.store(0, Ordering::SeqCst);
        let (e, f) = join!(biased; write("e", 1, true), async {
            store.write(async |tx| add(tx, "f").await).await
        });
        assert!(e.is_err() && f.is_ok());
        assert_eq!(stored(store).await, ["a", "c", "d", "f"]);
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_halfway_leaves_no_other_waiting_and_none_acknowledged() {
    for bed in Bed::of_each_kind().await {
        let (store, sqlite) = (&*bed.store, bed.store.engine() == Engine::Sqlite);
        let slow = if sqlite {
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) \
             SELECT count(*) FROM n"
        } else {
            "SELECT count(*) FROM generate_series(1, 300000)"
        };
        for (amid_a_statement, after) in [(false, "x"), (true, "y")] {
            let begun = Notify::new();
            let first = store.write(async |tx| {
                others_wait(store, 2).await;
                add(tx, "a").await
            });
            let dropped = async {
                let second = store.write(async |tx| {
                    others_wait(store, 1).await;
                    add(tx, "b").await?;
                    begun.notify_one();
                    if amid_a_statement {
                        sqlx::query(slow).execute(tx.connection()).await?;
                    }
                    std::future::pending::<sqlx::Result<()>>().await
                });
                select! { biased; _ = second => {}, () = begun.notified() => {} }
            };
            let third = store.write(async |tx| add(tx, after).await);
            let (first, (), third) = join!(biased; first, dropped, third);
            assert!(matches!(first, Err(sqlx::Error::Io(_))), "{first:?}");
            assert!(third.is_ok(), "{third:?}");
        }
        assert_eq!(stored(store).await, ["x", "y"]);
    }
}

/// SQLite does so if the disk is full, and PostgreSQL if the connection breaks.
#[tokio::test]
async fn a_transaction_that_ends_by_itself_fails_all_its_writers_and_no_later_one() {
    for bed in Bed::of_each_kind().await {
        let store = &*bed.store;
        let end = match store.engine() {
            Engine::Sqlite => "ROLLBACK",
            Engine::Postgres => "SELECT pg_terminate_backend(pg_backend_pid())",
        };
        for (unnoticed, after) in [(false, "x"), (true, "y")] {
            let first = store.write(async |tx| {
                others_wait(store, 2).await;
                add(tx, "a").await
            });
            let second = store.write(async |tx| {
                others_wait(store, 1).await;
                let _ = sqlx::raw_sql(end).execute(tx.connection()).await;
                if unnoticed { Ok(()) } else { Err(sqlx::Error::RowNotFound) }
            });
            let third = store.write(async |tx| add(tx, after).await);
            let (first, second, third) = join!(biased; first, second, third);
            assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
            assert!(third.is_ok(), "{third:?}");
        }
        assert_eq!(stored(store).await, ["x", "y"]);
    }
}

#[tokio::test]
async fn a_postgres_that_dies_before_the_commit_fails_all_writers() {
    let mut server = Postgres::start();
    for before_the_last_statement in [true, false] {
        let bed = Bed::on_postgres(&server).await;
        let store = &*bed.store;
        let first = store.write(async |tx| {
            others_wait(store, 1).await;
            add(tx, "a").await
        });
        let second = store.write(async |tx| {
            add(tx, "b").await?;
            server.go_away();
            if before_the_last_statement { add(tx, "c").await } else { Ok(()) }
        });
        let (first, second) = join!(biased; first, second);
        assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
        server.come_back();
        assert_eq!(stored(store).await, [""; 0]);
        store.write(async |tx| add(tx, "d").await).await.unwrap();
        assert_eq!(stored(store).await, ["d"]);
    }
}

#[tokio::test]
async fn a_transaction_that_is_left_open_is_committed_though_no_writer_follows() {
    for bed in Bed::of_each_kind().await {
        let store = &*bed.store;
        // As a writer does that goes away at that moment.
        let _waiting = Waiting::new(&store.writers.waiting);
        let write = store.write(async |tx| add(tx, "a").await);
        tokio::time::timeout(Duration::from_secs(600), write).await.unwrap().unwrap();
        assert_eq!(stored(store).await, ["a"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_writers_at_once_exactly_those_are_stored_that_are_acknowledged() {
    for bed in Bed::of_each_kind().await {
        let writes = (0..4 * MOST).map(|number| {
            let (store, name) = (Arc::clone(&bed.store), format!("{:03}", number % (3 * MOST)));
            tokio::spawn(async move {
                let write = store.write(async |tx| {
                    add(tx, &name).await?;
                    if number % 7 == 3 { Err(sqlx::Error::RowNotFound) } else { Ok(()) }
                });
                write.await.is_ok().then_some(name)
            })
        });
        let mut acknowledged = vec![];
        for write in writes.collect::<Vec<_>>() {
            acknowledged.extend(write.await.unwrap());
        }
        acknowledged.sort();
        assert!((2 * MOST..=3 * MOST).contains(&acknowledged.len()));
        assert_eq!(stored(&bed.store).await, acknowledged);
    }
}

#[tokio::test]
async fn a_transaction_that_takes_long_is_joined_by_no_further_writer() {
    for bed in Bed::of_each_kind().await {
        let store = &*bed.store;
        let first = store.write(async |tx| {
            others_wait(store, 1).await;
            tokio::time::sleep(JOINED_FOR).await;
            add(tx, "a").await
        });
        let second = store.write(async |tx| {
            assert_eq!(stored(store).await, ["a"]);
            add(tx, "b").await
        });
        let (first, second) = join!(biased; first, second);
        assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    }
}

/// As if the network had cut off a connection to PostgreSQL without notice.
#[tokio::test]
async fn a_writer_that_gets_no_answer_of_the_database_loses_its_turn_after_a_minute() {
    for bed in Bed::of_each_kind().await {
        let store = &*bed.store;
        let stuck = store.write(async |tx| {
            add(tx, "a").await?;
            tokio::time::pause();
            tokio::time::advance(TURN).await;
            tokio::time::resume();
            std::future::pending::<sqlx::Result<()>>().await
        });
        assert!(matches!(stuck.await, Err(sqlx::Error::PoolTimedOut)));
        store.write(async |tx| add(tx, "b").await).await.unwrap();
        assert_eq!(stored(store).await, ["b"]);
    }
}

#[tokio::test]
async fn counting_on_sqlite_joins_the_transaction_that_is_open() {
    let bed = Bed::on_sqlite().await;
    let store = &*bed.store;
    let first = store.write(async |tx| {
        others_wait(store, 1).await;
        add(tx, "a").await
    });
    let batch = batch(Some("once"));
    let (first, totals) = join!(biased; first, store.count(&batch, 0));
    first.unwrap();
    assert_eq!(totals.unwrap()[0].total, 3);
    assert_eq!(store.count(&batch, 0).await.unwrap()[0].total, 3, "it is remembered");
    assert_eq!(stored(store).await, ["a"]);
}

/// A transaction that counts stays open until `done`. Nobody waits for it who need not.
#[tokio::test]
async fn on_postgres_nobody_but_batches_that_count_alike_waits_for_a_batch() {
    let bed = Bed::on_postgres(Postgres::shared()).await;
    let (store, done) = (&*bed.store, Notify::new());
    let counting = store.write_aside(async |tx| {
        let held = "INSERT INTO counters (id, total, expires_at) VALUES ('c', 1, 1)";
        sqlx::query(held).execute(tx.connection()).await?;
        done.notified().await;
        sqlx::Result::<()>::Ok(())
    });
    let most = store.aside.options().get_max_connections();
    let alike = (0..2 * most).map(|_| {
        let store = Arc::clone(&bed.store);
        tokio::spawn(async move { store.count(&batch(None), 0).await.unwrap()[0].total })
    });
    let alike: Vec<_> = alike.collect();
    let other = async {
        while store.aside.size() < most || store.aside.num_idle() > 0 {
            yield_now().await;
        }
        store.write(async |tx| add(tx, "a").await).await.unwrap();
        done.notify_one();
    };
    let (counting, ()) = join!(counting, other);
    counting.unwrap();
    let mut totals = BTreeSet::new();
    for total in alike {
        totals.insert(total.await.unwrap());
    }
    assert!(totals.into_iter().eq((1..=2 * u64::from(most)).map(|n| 1 + 3 * n)));

    // The sweep, which has the turn of a writer, leaves a counter alone that a batch has locked.
    let expired = "INSERT INTO counters (id, total, expires_at) VALUES ('d', 1, 1), ('e', 1, 1)";
    store
        .write_aside(async |tx| sqlx::query(expired).execute(tx.connection()).await)
        .await
        .unwrap();
    let counting = store.write_aside(async |tx| {
        sqlx::query("UPDATE counters SET total = 2 WHERE id = 'd'")
            .execute(tx.connection())
            .await?;
        assert_eq!(store.sweep(1).await?, [("counters", 1)]);
        sqlx::Result::<()>::Ok(())
    });
    counting.await.unwrap();
    assert_eq!(store.sweep(1).await.unwrap(), [("counters", 1)]);
}

#[tokio::test]
async fn a_writer_waits_for_its_turn_no_longer_than_ten_seconds() {
    let bed = Bed::on_sqlite().await;
    let store = &*bed.store;
    let late = async {
        let late = store.write(async |tx| add(tx, "late").await).await;
        assert!(matches!(late, Err(sqlx::Error::PoolTimedOut)), "{late:?}");
        assert_eq!(store.writers.waiting.load(Ordering::SeqCst), 0);
    };
    // The first writer ends when the other one has given up.
    let first = store.write(async |tx| {
        late.await;
        add(tx, "a").await
    });
    first.await.unwrap();
    assert_eq!(stored(store).await, ["a"]);
}
