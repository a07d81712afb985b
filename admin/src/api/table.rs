//! The table of the API's routes, by which a measurement or a test knows that it leaves none out.

/// The routes of the API, each with its methods in alphabetical order. Those of the page at `/ui`,
/// and those that point to the gateway's own files, are not among them.
pub const ROUTES: [(&str, &str); 34] = [
    ("/acls", "GET POST"),
    ("/acls/{item}", "DELETE GET PATCH PUT"),
    ("/acls/{item}/consumer", "GET"),
    ("/appids", "GET POST"),
    ("/appids/{item}", "DELETE GET PATCH PUT"),
    ("/appids/{item}/consumer", "GET"),
    ("/changes", "GET"),
    ("/consumers", "GET POST"),
    ("/consumers/{consumer}", "DELETE GET PATCH PUT"),
    ("/consumers/{consumer}/acls", "GET POST PUT"),
    ("/consumers/{consumer}/acls/{item}", "DELETE GET PATCH PUT"),
    ("/consumers/{consumer}/appids", "GET POST PUT"),
    ("/consumers/{consumer}/appids/{item}", "DELETE GET PATCH PUT"),
    ("/consumers/{consumer}/jwt", "GET POST"),
    ("/consumers/{consumer}/jwt/{item}", "DELETE GET PATCH PUT"),
    ("/consumers/{consumer}/key-auth", "GET POST"),
    ("/consumers/{consumer}/key-auth/{item}", "DELETE GET PATCH PUT"),
    ("/counters", "GET POST"),
    ("/gateways", "GET"),
    ("/identities/consumers/{consumer}", "GET"),
    ("/identities/jwt/{key}", "GET"),
    ("/identities/key-auth", "GET"),
    ("/identities/key-auth/{digest}", "GET"),
    ("/jwts", "GET POST"),
    ("/jwts/{item}", "DELETE GET PATCH PUT"),
    ("/jwts/{item}/consumer", "GET"),
    ("/key-auths", "GET POST"),
    ("/key-auths/{item}", "DELETE GET PATCH PUT"),
    ("/key-auths/{item}/consumer", "GET"),
    ("/metrics", "GET"),
    ("/revocations/{id}", "GET PUT"),
    ("/sessions", "DELETE GET"),
    ("/sessions/{id}", "DELETE GET PATCH PUT"),
    ("/status", "GET"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Returns the routes that the router has, as its debugging output tells them.
    fn routes_of(router: &str) -> BTreeMap<String, String> {
        let mut methods = BTreeMap::new();
        let mut found = BTreeMap::new();
        // The router of unknown paths comes last, with numbers of its own.
        let (router, _) = router.split_once("fallback_router").unwrap();
        for part in router.split("RouteId(").skip(1) {
            let (id, rest) = part.split_once(')').unwrap();
            if rest.starts_with(": MethodRouter") {
                let has = |method: &&str| {
                    let field = format!(" {}: ", method.to_lowercase());
                    !rest.split_once(&field).unwrap().1.starts_with("None")
                };
                let all = ["DELETE", "GET", "PATCH", "POST", "PUT"].into_iter().filter(has);
                methods.insert(id.to_owned(), all.collect::<Vec<_>>().join(" "));
            } else if let Some(rest) = rest.strip_prefix(": \"") {
                let path = rest.split('"').next().unwrap();
                found.insert(id.to_owned(), path.to_owned());
            }
        }
        assert_eq!(methods.len(), found.len(), "{router}");
        found.into_iter().map(|(id, path)| (path, methods.remove(&id).unwrap())).collect()
    }

    #[test]
    fn the_table_has_every_route_of_the_router_with_its_methods() {
        let router = format!("{:?}", super::super::api_routes());
        let table = ROUTES.map(|(path, methods)| (path.to_owned(), methods.to_owned()));
        assert_eq!(routes_of(&router), BTreeMap::from(table));
    }
}
