//! One attempt: one look by one check, with its deadline, and what has to be undone behind it. Panics end here.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    CheckError, Context, Fault, Vantage, Verdict,
    cleanup::{self, Todo},
    context::Run,
    duration::show,
    graph::Check,
};

/// How long a check may overrun its deadline, so that a probe that runs out of time can say what it waited for.
const GRACE: Duration = Duration::from_millis(50);

/// What one attempt brought.
pub(super) type Raw = Result<Verdict, CheckError>;

pub(super) async fn attempt(run: Arc<Run>, index: usize, fresh_since: Instant, deadline: Instant) -> Raw {
    let graph = Arc::clone(&run.graph);
    let check = &graph.checks[index];
    let resource = check.node.map(|node| Arc::clone(&graph.nodes[node].resource));
    let vantage = check.declared.options.at.clone().map_or(Vantage::Host, Vantage::Inside);
    let mask = Arc::clone(&run.mask);
    let cx = Context::new(run, resource, vantage, fresh_since, Some(deadline));
    let mut todo = Todo::new(index, cx);
    let masked = async {
        let raw = look(check, todo.context(), deadline).await;
        // Only now: what the check held is free.
        if todo.is_empty() {
            return raw;
        }
        // Few have anything to undo, and every attempt would have to hold the room for that.
        let cleaned = Box::pin(todo.run()).await;
        cleanup::told(raw, &cleaned)
    };
    mask.over(masked).await
}

async fn look(check: &Check, cx: &Context, deadline: Instant) -> Raw {
    let began = Instant::now();
    let mut look = pin!(async { check.declared.assertion.check(cx).await });
    let look = poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| look.as_mut().poll(task))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    });
    match tokio::time::timeout_at(deadline + GRACE, look).await {
        Ok(Ok(raw)) => raw,
        Ok(Err(panic)) => {
            let what = panic_message(&*panic);
            Err(CheckError::unobservable(format!("the assertion panicked: {}", crate::text::quote(what)))
                .hint("this is a bug in the assertion"))
        }
        Err(_) => {
            let message = format!("did not finish within {}", show(began.elapsed()));
            Err(CheckError::timed_out(Fault::Observer, message)
                .hint("raise `timeout`, or bound what the assertion does itself"))
        }
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "(no message)",
    }
}
