//! One attempt: one look by one check, with its deadline, and what has to be undone behind it. Panics end here.

use std::{
    any::Any,
    fmt,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    CheckError, Context, Fault, Vantage, Verdict,
    cleanup::{self, Todo},
    context::Run,
    duration::show,
};

/// How long a check may overrun its deadline, so that a probe that runs out of time can say what it waited for.
pub(super) const GRACE: Duration = Duration::from_millis(50);

/// What one attempt brought.
pub(super) type Raw = Result<Verdict, CheckError>;

/// Looks, until the context's deadline, with an alarm that is set to it. Secrets that it reads are the surrounding mask's.
pub(super) async fn attempt(index: usize, todo: &mut Todo, alarm: Pin<&mut Sleep>) -> Raw {
    let raw = look(index, todo.context(), alarm).await;
    // Only now: what the check held is free.
    if todo.is_empty() {
        return raw;
    }
    // Few have anything to undo, and every attempt would have to hold the room for that.
    let cleaned = Box::pin(todo.run()).await;
    cleanup::told(raw, &cleaned)
}

/// The same, with an alarm and the run's mask of its own.
pub(super) async fn attempt_alone(index: usize, cx: Context) -> Raw {
    let mask = Arc::clone(cx.mask());
    let attempt = async {
        // One that ends at once never gets to set it.
        let alarm = pin!(sleep_until(cx.deadline().unwrap_or_else(Instant::now)));
        attempt(index, &mut Todo::new(index, cx), alarm).await
    };
    mask.over(attempt).await
}

/// What it has in hand.
pub(super) fn context(run: &Arc<Run>, index: usize, fresh_since: Instant, deadline: Instant) -> Context {
    let check = &run.graph.checks[index];
    let vantage = check.declared.options.at.clone().map_or(Vantage::Host, Vantage::Inside);
    Context::new(Arc::clone(run), check.node, vantage, fresh_since, deadline)
}

async fn look(index: usize, cx: &Context, mut alarm: Pin<&mut Sleep>) -> Raw {
    let check = &cx.run().graph.checks[index];
    let began = Instant::now();
    let mut look = check.declared.assertion.check(cx);
    poll_fn(|task| {
        if let Some(bell) = cx.bell() {
            bell.belongs_to(task.waker());
        }
        let polled = match catch_unwind(AssertUnwindSafe(|| look.as_mut().poll(task))) {
            Ok(Poll::Ready(raw)) => Poll::Ready(raw),
            Ok(Poll::Pending) => when_over(cx, alarm.as_mut(), task).map(|()| Err(overdue(began.elapsed()))),
            Err(panic) => Poll::Ready(Err(panicked(&*panic))),
        };
        if let (Poll::Ready(_), Some(bell)) = (&polled, cx.bell()) {
            bell.ring();
        }
        polled
    })
    .await
}

/// At the deadline the bell rings, and all who wait are asked again, so that they can say what for. That may take the grace.
fn when_over(cx: &Context, mut alarm: Pin<&mut Sleep>, task: &mut TaskContext<'_>) -> Poll<()> {
    let over = alarm.as_mut().poll(task);
    match cx.bell() {
        Some(bell) if over.is_ready() && !bell.has_rung() => {
            bell.ring();
            task.waker().wake_by_ref();
            let deadline = alarm.deadline();
            alarm.as_mut().reset(deadline + GRACE);
            alarm.poll(task)
        }
        _ => over,
    }
}

pub(super) fn overdue(after: Duration) -> CheckError {
    CheckError::timed_out(Fault::Observer, format!("did not finish within {}", show(after)))
        .hint("raise `timeout`, or bound what the assertion does itself")
}

pub(super) fn lost(why: impl fmt::Display) -> CheckError {
    CheckError::unobservable(format!("the attempt was lost: {why}"))
}

fn panicked(panic: &(dyn Any + Send)) -> CheckError {
    let what = crate::text::quote(panic_message(panic));
    CheckError::unobservable(format!("the assertion panicked: {what}")).hint("this is a bug in the assertion")
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => message,
        (_, Some(message)) => message,
        _ => "(no message)",
    }
}
