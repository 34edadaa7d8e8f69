//! One attempt: one look by one check, with its deadline. Panics end here.

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

use crate::{CheckError, Context, Fault, Vantage, Verdict, context::Run, duration::show};

/// How long a check may overrun its deadline, so that a probe that runs out of time can say what it waited for.
const GRACE: Duration = Duration::from_millis(50);

/// What one attempt brought.
pub(super) type Raw = Result<Verdict, CheckError>;

pub(super) async fn attempt(run: Arc<Run>, check: usize, fresh_since: Instant, deadline: Instant) -> Raw {
    let graph = Arc::clone(&run.graph);
    let check = &graph.checks[check];
    let resource = check.node.map(|node| Arc::clone(&graph.nodes[node].resource));
    let vantage = check.declared.options.at.clone().map_or(Vantage::Host, Vantage::Inside);
    let cx = Context::new(run, resource, vantage, fresh_since, Some(deadline));
    let began = Instant::now();
    let mut look = pin!(async { check.declared.assertion.check(&cx).await });
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
