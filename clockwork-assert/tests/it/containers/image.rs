//! `ContainerImageAssert`, with `docker inspect` as the witness.

use clockwork_assert::ContainerImageAssert;
use clockwork_core::{AssertionExt, Outcome, ResourceExt};

use super::{BUSYBOX, Container, docker, engine, result};

/// A tag that goes with the test.
struct Tag(String);

impl Drop for Tag {
    fn drop(&mut self) {
        super::run(&["rmi", "--no-prune", &self.0]);
    }
}

#[tokio::test]
async fn a_container_that_runs_an_older_image_than_its_tag_names_fails() {
    if !engine() {
        return;
    }
    let tag = Tag(format!("clockwork/cw-moving:{}", std::process::id()));
    docker(&["tag", BUSYBOX, &tag.0]);
    let name = Container::name("image");
    let container = Container(name.clone());
    docker(&["run", "-d", "--name", &name, "--stop-timeout", "0", &tag.0, "sleep", "69.5"]);
    let old = container.inspect("{{.Image}}");
    assert_eq!(old, docker(&["inspect", "--format", "{{.Id}}", &tag.0]));
    let short = |id: &str| id[..19].to_owned();
    let declared = || container.resource().image(&tag.0);
    for passes in [
        ContainerImageAssert::new(),
        ContainerImageAssert::new().image(&tag.0),
        ContainerImageAssert::new().image(BUSYBOX),
        ContainerImageAssert::new().image(&old),
        ContainerImageAssert::new().digest(&old),
    ] {
        let found = result(declared().assert(passes)).await;
        assert_eq!(found.verdict, Outcome::Passed, "{}", found.message);
    }
    // The tag moves on, the container does not.
    let id = docker(&["commit", "--change", "LABEL moved=yes", &name, &tag.0]);
    let found = result(declared().assert(ContainerImageAssert::new())).await;
    assert_eq!(found.verdict, Outcome::Failed);
    assert_eq!(
        found.message,
        format!(
            "is of an older \"{}\": it is {}, and the name now means {}; make the container anew",
            tag.0,
            short(&old),
            short(&id)
        )
    );
    assert_eq!(result(declared().assert(ContainerImageAssert::new().not())).await.verdict, Outcome::Passed);
    let zeros = format!("sha256:{}", "0".repeat(64));
    for (fails, told) in [
        (ContainerImageAssert::new().image("clockwork/nobody-has-this:1"), "its engine has no image"),
        (ContainerImageAssert::new().digest(&zeros), "which no registry is known to have"),
        (ContainerImageAssert::new().digest(&id), "which no registry is known to have"),
    ] {
        let found = result(declared().assert(fails)).await;
        assert_eq!(found.verdict, Outcome::Failed);
        assert!(found.message.contains(told), "{}", found.message);
    }
    let gone = || clockwork_drivers::ContainerResource::new("cw-nobody-is-called-so").image(BUSYBOX);
    assert_eq!(result(gone().assert(ContainerImageAssert::new())).await.verdict, Outcome::Failed);
    assert_eq!(result(gone().assert(ContainerImageAssert::new().not())).await.verdict, Outcome::Errored);
}
