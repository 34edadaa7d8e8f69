//! [`ContainerImageAssert`]: a container was made of the image that is meant.
//!
//! With `image`, it proves that the container was made of what that name means in its engine right now: after `docker
//! pull` or a build, a container that still runs the older image under the same tag fails. It does not ask a registry: a
//! newer image that was never pulled is not seen. With `digest`, it proves that a registry knows the container's image
//! under this digest, or that it is the image's id.
//!
//! Another image judges the property, and so does a name that the engine has no image for. A missing container does not.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait, text::quote,
};
use clockwork_drivers::container::{
    ContainerDetails, ContainerInspect, ContainerRef, ImageDetails, ImageInspect, container_of, missing,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// A container was made of this image: of what its name means now, or of the one with this digest.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerImageAssert {
    /// The image by its name: `nginx:1.27`. Without `image` and `digest`, it is the one that the resource is declared
    /// with.
    #[serde(default)]
    image: Option<String>,
    /// The image by its digest: `sha256:` and 64 hexadecimal digits, as a registry or `docker images --digests` shows it.
    #[serde(default)]
    digest: Option<String>,
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
}

impl ContainerImageAssert {
    /// Of the image that the resource is declared with.
    pub fn new() -> Self {
        Self::default()
    }

    /// The image by its name.
    #[must_use]
    pub fn image(mut self, image: impl Into<String>) -> Self {
        self.image = Some(image.into());
        self
    }

    /// The image by its digest.
    #[must_use]
    pub fn digest(mut self, digest: impl Into<String>) -> Self {
        self.digest = Some(digest.into());
        self
    }

    /// This container: a resource's name, a container's name, or 12 or more digits of its id.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    /// The name that is meant, where one is.
    fn named(&self, cx: &Context) -> Option<String> {
        let declared = || {
            let named = self.container.as_deref().and_then(|name| cx.resource_named(name)).map(|one| &**one);
            let resource = if self.container.is_some() { named } else { cx.resource() };
            resource.and_then(container_of)?.image_name().map(str::to_owned)
        };
        self.image.clone().or_else(|| if self.digest.is_none() { declared() } else { None })
    }
}

/// The digits of a digest, if it is one.
fn digits(digest: &str) -> Option<&str> {
    let digits = digest.strip_prefix("sha256:")?;
    let plain = digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then_some(digits)
}

/// Some engines leave out what every id begins with.
fn bare(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// `sha256:` and as many digits as `docker images` shows.
fn short(id: &str) -> &str {
    id.get(..19).unwrap_or(id)
}

fn judge_name(name: &str, container: &ContainerDetails, means: Option<&ImageDetails>) -> Verdict {
    let named = container.image_name();
    let made =
        if named.is_empty() || named == name { String::new() } else { format!(", made as {}", quote(named)) };
    let shown = quote(name);
    match means {
        Some(image) if bare(&image.id) == bare(&container.image) => {
            Verdict::passed().message(format!("is {shown}, {}", short(&image.id))).actual(short(&image.id))
        }
        Some(image) if named == name => Verdict::failed(format!(
            "is of an older {shown}: it is {}, and the name now means {}; make the container anew",
            short(&container.image),
            short(&image.id)
        ))
        .actual(short(&container.image)),
        Some(image) => Verdict::failed(format!(
            "is of another image: it is {}{made}, and {shown} means {}",
            short(&container.image),
            short(&image.id)
        ))
        .actual(short(&container.image)),
        None => Verdict::failed(format!(
            "is of the image {}{made}, and its engine has no image {shown}; pull it, or correct the name",
            short(&container.image)
        ))
        .actual(short(&container.image)),
    }
}

fn judge_digest(
    digest: &str,
    container: &ContainerDetails,
    image: Option<&ImageDetails>,
) -> Result<Verdict, CheckError> {
    let known = image.map(|image| image.repo_digests.as_slice()).unwrap_or_default();
    let is = |known: &String| known.rsplit_once('@').is_some_and(|(_, known)| known == digest);
    if bare(&container.image) == bare(digest) || known.iter().any(is) {
        return Ok(Verdict::passed().message(format!("is {}", short(digest))).actual(short(digest)));
    }
    if image.is_none() {
        return Err(CheckError::unobservable(format!(
            "its engine does not have the image {} any more, so that nobody can tell its digest",
            short(&container.image)
        ))
        .hint("pull the image and make the container anew"));
    }
    let known: Vec<_> = known.iter().take(3).map(|known| quote(known)).collect();
    let known = match known.as_slice() {
        [] => String::from("which no registry is known to have (it was built here, or loaded)"),
        known => format!("which registries have as {}", known.join(", ")),
    };
    let named = container.image_name();
    let named = if named.is_empty() { String::new() } else { format!(" ({})", quote(named)) };
    Ok(Verdict::failed(format!("is of the image {}{named}, {known}", short(&container.image)))
        .actual(short(&container.image)))
}

impl AssertionKind for ContainerImageAssert {
    const NAME: &'static str = "ContainerImageAssert";
}

#[async_trait]
impl Assertion for ContainerImageAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let digest = self.digest.as_deref().map(short);
        let what = [self.container.as_deref(), self.image.as_deref(), digest];
        what.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> =
            ContainerRef::validate(owner, self.container.as_deref(), true).into_iter().collect();
        if self.image.as_deref().is_some_and(|image| image.is_empty() || image.contains(char::is_whitespace))
        {
            problems.push(Invalid::field("image", "is no name of an image: write it as `nginx:1.27`"));
        }
        if self.digest.as_deref().is_some_and(|digest| digits(digest).is_none()) {
            let problem = "is no digest: write `sha256:` and its 64 lowercase hexadecimal digits";
            problems.push(Invalid::field("digest", problem));
        }
        let declared = owner.and_then(container_of).and_then(|resource| resource.image_name());
        if self.image.is_none() && self.digest.is_none() && declared.is_none() && self.container.is_none() {
            problems.push(Invalid::whole(
                "give `image` or `digest`: the resource does not say what it is made of",
            ));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let container = ContainerRef::required(cx, self.container.as_deref())?;
        let listed = container.listed(cx).await?;
        let expected = self.named(cx).or_else(|| self.digest.clone()).unwrap_or_default();
        let gone = || {
            let message = missing(&container.name, &listed.engine);
            Ok(Verdict::unjudged(message).expected(expected.clone()).actual("missing"))
        };
        let Some(found) = &listed.found else { return gone() };
        let engine = container.engine.clone();
        let inspect = ContainerInspect { engine: engine.clone(), name: found.id.clone() };
        let seen = cx.observe(inspect).await?;
        let Some(details) = &*seen else { return gone() };
        let named = self.named(cx);
        if named.is_none() && self.digest.is_none() {
            return Err(CheckError::unobservable(
                "nothing says which image is meant; give `image` or `digest`",
            ));
        }
        let mut verdicts = Vec::new();
        if let Some(name) = &named {
            let means = cx.observe(ImageInspect { engine: engine.clone(), name: name.clone() }).await?;
            verdicts.push(judge_name(name, details, (*means).as_ref()));
        }
        if let Some(digest) = &self.digest {
            let image = cx.observe(ImageInspect { engine, name: details.image.clone() }).await?;
            verdicts.push(judge_digest(digest, details, (*image).as_ref())?);
        }
        let wrong = verdicts.iter().position(|verdict| !verdict.has_passed()).unwrap_or(0);
        Ok(verdicts.swap_remove(wrong).expected(expected).detail("image", details.image.clone()))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn an_older_image_under_the_same_name_is_not_the_one_that_is_meant() {
        let id = |digit: &str| format!("sha256:{}", digit.repeat(64));
        let container: ContainerDetails =
            serde_json::from_value(json!({ "Image": id("a"), "Config": { "Image": "web:1" } })).unwrap();
        let image = |digit: &str, digests: &[&str]| ImageDetails {
            id: id(digit),
            repo_tags: Vec::new(),
            repo_digests: digests
                .iter()
                .map(|digit| format!("registry.example.org/web@{}", id(digit)))
                .collect(),
        };
        for (name, means, told) in [
            ("web:1", Some(image("a", &[])), Ok("is \"web:1\", sha256:aaaaaaaaaaaa")),
            (
                "web:1",
                Some(image("b", &[])),
                Err(
                    "is of an older \"web:1\": it is sha256:aaaaaaaaaaaa, and the name now means sha256:bbbbbbbbbbbb; \
                     make the container anew",
                ),
            ),
            (
                "web:2",
                Some(image("b", &[])),
                Err(
                    "is of another image: it is sha256:aaaaaaaaaaaa, made as \"web:1\", and \"web:2\" means \
                     sha256:bbbbbbbbbbbb",
                ),
            ),
            (
                "web:1",
                None,
                Err(
                    "is of the image sha256:aaaaaaaaaaaa, and its engine has no image \"web:1\"; pull it, or correct the \
                     name",
                ),
            ),
        ] {
            let verdict = judge_name(name, &container, means.as_ref());
            let said = if verdict.has_passed() { Ok(verdict.text()) } else { Err(verdict.text()) };
            assert_eq!(said, told);
        }
        for (digest, digests, told) in [
            ("a", &[][..], Ok("is sha256:aaaaaaaaaaaa")),
            ("c", &["b", "c"], Ok("is sha256:cccccccccccc")),
            (
                "d",
                &[],
                Err(
                    "is of the image sha256:aaaaaaaaaaaa (\"web:1\"), which no registry is known to have (it was built \
                     here, or loaded)",
                ),
            ),
        ] {
            let verdict = judge_digest(&id(digest), &container, Some(&image("a", digests))).unwrap();
            let said = if verdict.has_passed() { Ok(verdict.text()) } else { Err(verdict.text()) };
            assert_eq!(said, told);
        }
        // Whose image was removed: it may have had that digest, so that `not` must not pass.
        assert!(judge_digest(&id("d"), &container, None).is_err());
        assert!(judge_digest(&id("a"), &container, None).unwrap().has_passed());
        let verdict = judge_digest(&id("d"), &container, Some(&image("a", &["b"]))).unwrap();
        assert!(verdict.text().contains("which registries have as \"registry.example.org/web@sha256:bbbb"));
    }
}
