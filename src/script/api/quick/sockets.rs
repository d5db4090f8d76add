//! Short ways of sockets: what is kept, sent and received where nothing but that is to be done.

use std::rc::Rc;
use std::time::Duration;

use super::{Answer, Made, Object, Out, Plain, Quick, Run, Stack, wait_for};
use crate::script::Call;
use crate::script::api::log::traces;
use crate::script::api::socket::receive::{self, Reception};
use crate::script::api::socket::tcp::{self, CLASS, Tcp};
use crate::script::api::socket::{connect, settings_of};

pub const QUICK: &[Quick] = &[
    Quick { name: "ngx.socket.tcp", run: Run::answers(socket) },
    Quick { name: "tcpsock:connect", run: Run::answers(connect) },
    Quick { name: "tcpsock:receive", run: Run::answers(receive) },
    Quick { name: "tcpsock:send", run: Run::answers(send) },
    Quick { name: "tcpsock:setkeepalive", run: Run::answers(keep) },
];

fn socket<'a>(_: &Stack<'a>, _: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    answer.give(Out::Made(Made::Object(Object::of(CLASS, Rc::new(Tcp::default())))))
}

/// By a connection that was kept.
fn connect<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let (Some(tcp), Some(host), Some(port)) =
        (stack.itself::<Tcp>(), stack.bytes(2), stack.number(3))
    else {
        return false;
    };
    let is_plain = stack.len() == 3 && (0.0..65_536.0).contains(&port) && !traces();
    let Ok(host) = std::str::from_utf8(host) else { return false };
    is_plain
        && connect::again(&tcp, call, &stack.facts().pools, (host, port as u16))
        && answer.give(Out::Number(1.0))
}

fn receive<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(tcp) = stack.itself::<Tcp>().filter(|_| !traces()) else { return false };
    match receive::begin(stack, call, &tcp) {
        None => false,
        Some(Reception::Data(data)) => answer.give(Out::Owned(data)),
        Some(Reception::Waits(waiting)) => wait_for(stack, call, waiting, answer),
    }
}

/// What the system takes at once.
fn send<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let (Some(tcp), Some(bytes)) = (stack.itself::<Tcp>(), stack.bytes(2)) else { return false };
    if stack.len() != 2 || traces() {
        return false;
    }
    let sent = tcp::send_at_once(&tcp, call, bytes);
    match sent {
        None => false,
        Some(Ok(sent)) if sent == bytes.len() => answer.give(Out::Number(sent as f64)),
        Some(Ok(sent)) => {
            let settings = settings_of(call, stack.facts().spec.as_ref());
            let rest = bytes.get(sent..).unwrap_or_default();
            match tcp::sending(&tcp, call, settings, (rest, bytes.len())) {
                Some(waiting) => wait_for(stack, call, waiting, answer),
                None => answer.give(Out::Nil),
            }
        }
        Some(Err(words)) => {
            answer.give(Out::Nil);
            answer.copy(words.as_bytes())
        }
    }
}

fn keep<'a>(stack: &Stack<'a>, call: &Rc<Call>, answer: &mut Answer<'a>) -> bool {
    let Some(tcp) = stack.itself::<Tcp>().filter(|_| !traces()) else { return false };
    let given = match stack.plain(2) {
        Plain::Nil => None,
        Plain::Number(time) => Some(Duration::from_millis((time as i64).max(0) as u64)),
        _ => return false,
    };
    if stack.len() > 3 || !matches!(stack.plain(3), Plain::Nil | Plain::Number(_)) {
        return false;
    }
    let usual = || settings_of(call, stack.facts().spec.as_ref()).keepalive_timeout;
    match connect::give_again(&tcp, call, || given.unwrap_or_else(usual)) {
        None => false,
        Some(Ok(())) => answer.give(Out::Number(1.0)),
        Some(Err(words)) => {
            answer.give(Out::Nil);
            answer.copy(words.as_bytes())
        }
    }
}
