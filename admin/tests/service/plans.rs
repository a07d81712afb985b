//! The plans by which PostgreSQL carries statements out: what is asked for often must not read whole
//! tables, however many rows they have.

use std::collections::BTreeMap;

use crate::postgres::Postgres;
use crate::program::{Program, digest, text};

/// The number of rows of each table. A table of this size is worth an index.
const ROWS: u32 = 20_000;

/// Consumers with a key, a group, an App ID and a JWT credential each, and a full log of changes.
/// The statistics are of the moment when the log was filled for the first time, since a server takes
/// new ones only now and then.
const FILL: &str = "
    CREATE FUNCTION uuid(n integer) RETURNS text LANGUAGE sql IMMUTABLE AS
        $$ SELECT '00000000-0000-4000-8000-' || lpad(CAST(n AS text), 12, '0') $$;
    ALTER TABLE changes SET (autovacuum_enabled = off);
    INSERT INTO consumers (id, username, created_at, updated_at)
        SELECT uuid(n), 'name-' || n, n, n FROM generate_series(1, 20000) n;
    INSERT INTO keyauth_credentials (id, consumer_id, digest, created_at)
        SELECT uuid(n), uuid(n), encode(sha256(CAST('secret-' || n AS bytea)), 'hex'), n
        FROM generate_series(1, 20000) n;
    INSERT INTO acls (id, consumer_id, group_name, created_at)
        SELECT uuid(n), uuid(n), 'group-' || n % 10, n FROM generate_series(1, 20000) n;
    INSERT INTO appids (id, consumer_id, appid, created_at)
        SELECT uuid(n), uuid(n), 'app-' || n, n FROM generate_series(1, 20000) n;
    INSERT INTO jwt_secrets (id, consumer_id, jwt_key, algorithm, created_at)
        SELECT uuid(n), uuid(n), 'key-' || n, 'HS256', n FROM generate_series(1, 20000) n;
    INSERT INTO changes (seq, mark, entity, operation, consumer_id, name)
        SELECT n, 'mark', 'appids', 'create', uuid(n), 'app-' || n
        FROM generate_series(1, 20000) n;
    ANALYZE;
    UPDATE changes SET seq = seq + 50000;
    UPDATE changes SET seq = seq - 30000;
    UPDATE ledger SET seq = 40000;
";

/// Returns the number of rows that were read by looking at all rows of a table, for each table.
fn rows_of_whole_tables(postgres: &Postgres, database: &str) -> BTreeMap<String, u64> {
    let statement = "SELECT relname || ' ' || seq_tup_read FROM pg_stat_user_tables";
    let told = postgres.run("psql", &["-d", database, "-A", "-t", "-c", statement]);
    let table = |line: &str| {
        let (name, rows) = line.split_once(' ')?;
        Some((name.to_owned(), rows.parse().ok()?))
    };
    told.lines().filter_map(table).collect()
}

/// Asks for 150 pages of a list.
fn pages(program: &Program, list: &str) {
    let mut page = program.get(list).expect(200);
    for _ in 0..150 {
        page = program.get(&text(&page["next"])).expect(200);
    }
}

#[test]
fn no_page_lookup_poll_or_write_reads_all_rows_of_a_table_of_postgres() {
    let postgres = Postgres::shared();
    let url = postgres.database();
    let database = url.split(['/', '?']).nth(3).unwrap();
    let history = ROWS.to_string();
    let program = Program::start(&url, &["--change-history", &history]);
    postgres.run("psql", &["-d", database, "-v", "ON_ERROR_STOP=1", "-c", FILL]);
    let before = rows_of_whole_tables(postgres, database);

    // A connection makes plans that serve for all values after some calls of a statement.
    for n in 1..=20 {
        program.app_id(&format!("name-{n}"), &format!("another-{n}"));
        program.key(&format!("name-{n}"), &format!("new-{n}"));
        program.delete(&format!("/consumers/name-{}", 1000 + n)).expect(204);
        let key = digest(&format!("secret-{}", 500 + n));
        program.get(&format!("/identities/key-auth/{key}")).expect(200);
        program.get(&format!("/identities/jwt/key-{n}")).expect(200);
        program.get(&format!("/identities/consumers/name-{n}")).expect(200);
        program.get(&format!("/consumers/name-{n}/appids/app-{n}")).expect(200);
        program.get(&format!("/consumers/name-{n}/acls")).expect(200);
        program.get(&format!("/consumers?username=name-{n}")).expect(200);
        program
            .get(&format!("/appids?consumer_id=00000000-0000-4000-8000-{n:012}&app_id=app-{n}"))
            .expect(200);
        program.get(&format!("/changes?since={}&limit=10", 25_000 + n)).expect(200);
    }
    for list in ["/consumers", "/key-auths", "/acls", "/appids", "/jwts"] {
        pages(&program, &format!("{list}?size=100"));
    }
    pages(&program, "/acls?group=group-3&size=10");
    // A hundred keys with their groups would be worth a look at this small table.
    pages(&program, "/identities/key-auth?size=20");

    // The server counts for good when a connection ends.
    program.terminate();
    program.wait();
    let after = patience::eventually("the ends of all connections", || {
        let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
        let told = postgres.run("psql", &["-d", database, "-A", "-t", "-c", open]);
        (told.trim() == "1").then(|| rows_of_whole_tables(postgres, database))
    });
    // The service counts the rows of a table once.
    let whole = |table: &&str| after[*table] - before[*table] > u64::from(ROWS);
    let tables = ["consumers", "keyauth_credentials", "acls", "appids", "jwt_secrets", "changes"];
    let read: Vec<&str> = tables.into_iter().filter(whole).collect();
    assert_eq!(read, Vec::<&str>::new(), "these were read as a whole: {before:?}, {after:?}");
}
