//! Checks about several resources.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::{Assertion, CheckError, Context, ResourceName, async_trait, prelude::*};

/// About two resources; counts how often it is looked at.
#[derive(Debug)]
struct Across(Arc<AtomicUsize>);

#[async_trait]
impl Assertion for Across {
    fn kind(&self) -> &'static str {
        "Across"
    }

    fn related(&self) -> Vec<ResourceName> {
        ["a", "b"].map(ResourceName::new).into()
    }

    async fn check(&self, _: &Context) -> Result<Verdict, CheckError> {
        self.0.fetch_add(1, SeqCst);
        sleep(Duration::from_millis(10)).await;
        Ok(Verdict::passed())
    }
}

/// Of resources without any checks of their own, too.
#[tokio::test(start_paused = true)]
async fn a_check_about_several_resources_is_looked_at_once() -> Result<(), Error> {
    let looks = Arc::new(AtomicUsize::new(0));
    let project = Project::new("test").with(BlankResource::new("a")).with(BlankResource::new("b"));
    let report = Engine::standard().assert(&project.assert(Across(Arc::clone(&looks)))).await?;
    assert!(report.passed(), "{report}");
    assert_eq!((looks.load(SeqCst), report.results[0].attempts), (1, 1));
    Ok(())
}
