//! What a manifest may say about a container, and what its resource makes of it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use clockwork_core::Secret;

use super::*;

fn read(json: Value) -> Result<ContainerResource, serde_json::Error> {
    serde_json::from_value(json)
}

#[test]
fn every_field_is_in_the_spec_in_one_spelling_and_secrets_are_not() {
    let declared = read(json!({
        "image": "docker.io/library/nginx",
        "command": "nginx -g 'daemon off;'",
        "ports": ["8443:443", "8080:80", 9000],
        "env_vars": { "MODE": "prod", "PORT": 80, "TOKEN": { "env": "TOKEN" } },
        "volumes": ["/srv/www/:/var/www:ro"],
        "networks": ["back"],
        "health_check": { "test": "wget -q localhost", "interval": "5s", "retries": 2 },
        "restart": "on-failure:3",
        "memory": "512MB",
        "cpus": 1.5,
        "user": 1000,
        "labels": { "team": "shop" },
        "runtime": "docker",
        "connection": { "engine": "postgresql", "host": "localhost", "port": 5432, "database": "myapp",
                        "user": "admin", "password": { "env": "DB_PASSWORD" } },
    }))
    .unwrap();
    assert_eq!(declared.validate(), []);
    assert_eq!(
        declared.spec(),
        json!({
            "image": "nginx:latest",
            "command": ["nginx", "-g", "daemon off;"],
            "ports": ["8080:80/tcp", "8443:443/tcp", "9000/tcp"],
            "env_vars": { "MODE": "prod", "PORT": "80" },
            "volumes": ["/srv/www:/var/www:ro"],
            "networks": ["back"],
            "health_check": { "test": ["CMD-SHELL", "wget -q localhost"], "interval": "5000ms", "retries": 2 },
            "restart": "on-failure:3",
            "memory": 512_000_000,
            "cpus": 1.5,
            "user": "1000",
            "labels": { "team": "shop" },
        })
    );
    assert_eq!(declared.database().unwrap().port(), 5432);
    assert_eq!(ContainerResource::new("x").spec(), json!({}));
}

#[test]
fn what_is_wrong_is_said_at_its_field() {
    for (json, told) in [
        (json!({ "imge": "x" }), "imge"),
        (json!({ "ports": ["x"] }), "publishes no port"),
        (json!({ "volumes": ["./a:/b"] }), "absolute"),
        (json!({ "restart": "sometimes" }), "restart policy"),
        (json!({ "runtime": "apple" }), "apple"),
        (json!({ "env_vars": { "A": true } }), "quotes"),
    ] {
        let message = read(json.clone()).unwrap_err().to_string();
        assert!(message.contains(told), "{json}: {message}");
    }
    let built = ContainerResource::new("x")
        .image("a b")
        .container_name("a b")
        .ports(["80:80", "http"])
        .volumes(["nowhere"])
        .env("A=B", "c")
        .env("TOKEN", Secret::env("TOKEN"))
        .cpus(f64::NAN)
        .memory(ByteSize(0))
        .endpoint("ssh://build");
    let fields: Vec<_> = built.validate().into_iter().map(|invalid| invalid.field).collect();
    assert_eq!(
        fields,
        ["ports", "volumes", "image", "container_name", "env_vars", "cpus", "memory", "endpoint"]
    );
    assert_eq!(built.published().len(), 1);
}

#[test]
fn docker_resources_fix_the_runtime() {
    let docker: DockerResource = serde_json::from_value(json!({ "image": "nginx" })).unwrap();
    assert_eq!(docker.as_ref().engine().runtime, Runtime::Docker);
    assert_eq!((docker.kind(), docker.validate().len()), ("DockerResource", 0));
    let podman: DockerResource = serde_json::from_value(json!({ "runtime": "podman" })).unwrap();
    assert_eq!(podman.validate()[0].field, "runtime");
    let built = DockerResource::new("web").with(|web| web.image("nginx"));
    assert_eq!(built.spec(), json!({ "image": "nginx:latest" }));
    let schema = |schema: schemars::Schema| schema.to_value()["properties"]["ports"].clone();
    assert_eq!(
        schema(schemars::schema_for!(DockerResource)),
        schema(schemars::schema_for!(ContainerResource))
    );
}

#[test]
fn the_name_in_the_engine_is_the_resources_unless_another_is_said() {
    assert_eq!(ContainerResource::new("web").engine_name(), "web");
    assert_eq!(ContainerResource::new("web").container_name("shop-web-1").engine_name(), "shop-web-1");
}
