//! Whose a route is.

use super::{node, push_as, refused, serve};
use crate::support::Upstream;

#[test]
fn a_route_that_would_take_requests_from_another_owner_is_refused() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "").start();
    serve(&moongate, "team-a", "/shop", "ngx.print('a')");
    serve(&moongate, "team-a", "/shop/cart", "ngx.print('a, cart')");
    for route in
        ["/shop", "/shop/cart", "/shop/pay", "exact:/shop/pay", "h.example/", "h.example/shop"]
    {
        refused(&moongate, "team-b", route, "ngx.print('b')", "of `team-a` serves");
        let path = format!("/functions/aside?owner=team-b&route={route}");
        let kept =
            moongate.ask_admin_as(crate::support::ADMIN_TOKEN, "PUT", &path, "ngx.print('b')");
        assert_eq!(kept.status, 409, "not even kept: {}", kept.text());
    }
    serve(&moongate, "team-b", "/", "ngx.print('b')");
    serve(&moongate, "team-b", "/shopping", "ngx.print('b, shopping')");
    serve(&moongate, "operator", "/shop/notice", "ngx.print('operator')");
    let asked = ["/shop/pay", "/shop/cart", "/shop/notice", "/shopping", "/other"];
    let said = asked.map(|path| moongate.get(path).text());
    assert_eq!(said, ["a", "a, cart", "operator", "b, shopping", "b"]);
    refused(&moongate, "team-a", "/other", "ngx.print('a')", "`team-b` serves");
}

#[test]
fn what_was_free_when_it_was_pushed_may_be_anothers_when_it_is_put_in_force() {
    let upstream = Upstream::start();
    let moongate = node(&upstream, "").start();
    let token = crate::support::ADMIN_TOKEN;
    let path = "/functions/mine?owner=team-a&route=/place/mine";
    assert_eq!(moongate.ask_admin_as(token, "PUT", path, "ngx.print('a')").status, 201);
    serve(&moongate, "team-b", "/place", "ngx.print('b')");
    let activated = moongate.ask_admin("POST", "/functions/mine/activate");
    assert_eq!(activated.status, 409, "{}", activated.text());
    assert!(
        activated.text().contains("which `team-b-place` of `team-b` serves"),
        "{}",
        activated.text()
    );
    assert_eq!(moongate.get("/place/mine").text(), "b");
}

#[test]
fn owners_serve_beneath_their_own_paths_and_nobody_else_does() {
    let upstream = Upstream::start();
    let config =
        "owners:\n  team-a: { routes: [/team-a, shop.example/cart] }\n  team-b: { routes: [] }\n";
    let moongate = node(&upstream, config).start();
    for route in ["/team-a", "/team-a/x", "shop.example/cart/y", "h.example/team-a"] {
        serve(&moongate, "team-a", route, "ngx.print('a')");
    }
    for route in ["/", "/team-ab", "/cart", "other.example/cart"] {
        refused(&moongate, "team-a", route, "ngx.print('a')", "does not lie beneath");
    }
    refused(&moongate, "team-b", "/b", "ngx.print('b')", "may serve: nothing");
    serve(&moongate, "team-c", "/c", "ngx.print('c')");
    for route in ["/team-a/free", "shop.example/cart/z"] {
        let pushed = push_as(&moongate, "team-c", "c2", route, "ngx.print('c')");
        assert_eq!(pushed.status, 409, "{route}: {}", pushed.text());
    }
    let pushed = push_as(&moongate, "operator", "op", "/team-a/op", "ngx.print('op')");
    assert_eq!(pushed.status, 201, "{}", pushed.text());
}
