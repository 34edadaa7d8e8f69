//! The kinds over several resources.

use super::Example;

pub(crate) const EXAMPLES: &[Example] = &[
    Example {
        kind: "CrossResourceAssert",
        manifest: "
resources:
  api: { kind: ContainerResource, image: acme/api:1.4 }
  postgres-db: { kind: ContainerResource, image: \"postgres:16\" }
assertions:
  - CrossResourceAssert: { source: api, target: postgres-db, assertion: the api reads its users from the database }",
        says: &[
            "‹ServiceConnectivityAssert (postgresql): api does not reach postgres-db, at the step connect: …›",
            "the sentence was not compiled into typed assertions: there is no clockwork.lock.yaml beside the manifest",
            "the sentence was not compiled into typed assertions: ‹clockwork.lock.yaml› has no entry for it‹ (of these two it has \"the api reads users\": was the sentence changed?)›",
            "cannot be judged: ‹TableExistsAssert (users): the environment variable DB_PASSWORD is not set›",
        ],
    },
    Example {
        kind: "DataConsistencyAssert",
        manifest: "
resources:
  old-db: { kind: ContainerResource, image: mariadb:11, connection: { engine: mariadb, database: shop, user: reader } }
  new-db: { kind: ContainerResource, image: postgres:16, connection: { engine: postgresql, database: shop } }
assertions:
  - DataConsistencyAssert:
      left: { resource: old-db, sql_query: \"SELECT id, email, balance FROM accounts\" }
      right: { resource: new-db, sql_query: \"SELECT id, email, balance FROM accounts\" }
      key: id
      tolerance: { balance: 0.01 }
    timeout: 2m",
        says: &[
            "‹1 row› missing on the right‹ (id 3 (email \"u3@example.org\", balance 12.50))›; ‹2 rows› different‹ (id 5: balance› is ‹1.00› and ‹1.25)›",
            "‹2 rows› cannot be told apart by the key‹ (id 1: 2 rows on the left, 2 on the right)›: add columns to `key`",
            "neither side brings a row, so that nothing was compared",
        ],
    },
    Example {
        kind: "DependencyGraphAssert",
        manifest: "
resources:
  database: { kind: ContainerResource, image: \"postgres:16\" }
  api: { kind: ContainerResource, image: acme/api:1.4, depends_on: [database] }
  web: { kind: ContainerResource, image: acme/web:1.4, depends_on: [api] }
assertions:
  - DependencyGraphAssert: { allow: { web: [api] }, deny: { web: [database] }, over: 2s }",
        says: &[
            "‹web› reaches ‹database› at port ‹5432›, which ‹is denied›",
            "‹api› reaches ‹database› at port ‹5432›, which ‹is not declared›",
            "‹web› depends on ‹api›, and no connection was seen in ‹2 s›",
            "‹web› depends on ‹api›, tries to connect at port ‹80›, and is not answered",
            "‹api› does not run (‹it is exited›): its connections cannot be seen",
        ],
    },
    Example {
        kind: "LoadBalancerAssert",
        manifest: "
resources:
  api-1: { kind: ContainerResource, image: acme/api:1.4 }
  api-2: { kind: ContainerResource, image: acme/api:1.4 }
assertions:
  - LoadBalancerAssert: { url: http://localhost/whoami, backends: [api-1, api-2], identify: { header: x-served-by }, max_skew: 2x }
  - LoadBalancerAssert:
      url: https://shop.example/
      backends: { old: { id: \"10.0.0.1:80\", weight: 3 }, new: { id: [\"10.0.0.2:80\", \"10.0.0.3:80\"] } }
      identify: { json: server.address }
      requests: 100",
        says: &[
            "‹api-2› got none of ‹50› requests‹›; ‹25› of ‹50› requests: answered ‹502 Bad Gateway› (‹api-1 25, api-2 0›)",
            "‹\"api-3\"› answered ‹10› of ‹50› requests and is not among the backends",
            "‹3› of ‹50› answers do not tell their backend: ‹the answer has no header \"x-served-by\"›",
            "‹api-2› failed ‹25› of ‹50› requests, which another one answered",
            "the busiest backend gets ‹4x› what the quietest gets",
        ],
    },
    Example {
        kind: "QueueConsumerAssert",
        manifest: "
resources:
  rabbit: { kind: ContainerResource, image: \"rabbitmq:3\", ports: [\"5672:5672\"] }
assertions:
  - QueueConsumerAssert: { queue: orders, broker: rabbit, consumers: { min: 2 }, max_backlog: 100 }
  - QueueConsumerAssert:
      queue: orders
      broker: { resource: rabbit, user: shop, password: { env: RABBIT_PASSWORD }, vhost: shop }
      max_growth: 10
      over: 3s
  - QueueConsumerAssert: { queue: ORDERS, broker: \"nats://nats.example\", group: billing, max_age: 1m }
  - QueueConsumerAssert: { queue: orders, broker: { engine: redis, host: cache.example }, max_idle: 5m }",
        says: &[
            "nobody consumes the ‹queue› ‹\"orders\"›",
            "‹1› of ‹2› consumers are at ‹the queue \"orders\"›",
            "‹250 messages wait›, at most ‹100› expected",
            "the backlog grew by ‹40› messages in ‹3 s›, from ‹10› to ‹50›",
            "the oldest message waits for ‹2m10s›, at most ‹1m› expected",
            "cannot find ‹the queue \"orders\"›: ‹localhost:5672 has no such queue: \"NOT_FOUND - no queue 'orders' in vhost '/'\"›",
        ],
    },
    Example {
        kind: "ReplicationAssert",
        manifest: "
resources:
  db: { kind: ContainerResource, image: postgres:16, connection: { engine: postgresql, port: 5432 } }
  db-replica: { kind: ContainerResource, image: postgres:16, connection: { engine: postgresql, port: 5433 } }
assertions:
  - ReplicationAssert: { primary: db, replica: db-replica, max_lag: 2s }
  - ReplicationAssert: { primary: db, replica: db-replica, max_lag: 2s, method: canary }
    name: by a row",
        says: &[
            "‹db-replica› is more than ‹2 s› behind ‹db›: ‹a row that was written› is not there yet, ‹16384› bytes of log are still to be replayed",
            "replication from ‹db› to ‹db-replica› has stopped: ‹›replaying is paused there",
            "‹db-replica› has diverged from ‹db›: it replays nothing and takes writes itself‹, on timeline 2›, as one that was promoted",
            "‹db-replica› is not a replica of ‹db›: it is of another cluster",
        ],
    },
    Example {
        kind: "ServiceConnectivityAssert",
        manifest: "
resources:
  api: { kind: ContainerResource, image: acme/api:1.4, networks: [back] }
  shop-db:
    kind: ContainerResource
    image: postgres:16
    networks: [back]
    connection: { engine: postgresql, database: shop, user: app, password: { env: DB_PASSWORD } }
assertions:
  - ServiceConnectivityAssert: { from_service: api, to_service: shop-db, protocol: postgresql }",
        says: &[
            "‹api› does not reach ‹shop-db›, at the step ‹authentication›: ‹shop-db:5432 refuses the user or the password›",
            "‹api› does not reach ‹shop-db›, at the step ‹name›: ‹\"shop-db\"› does not resolve to an address inside ‹api›: ‹127.0.0.11:53› answered ‹NXDOMAIN› for ‹shop-db›‹; ›they share no network: ‹api is in front, shop-db is in back›",
        ],
    },
    Example {
        kind: "WorkflowAssert",
        manifest: "
resources:
  shop: { kind: EndpointResource, url: \"http://localhost:8080/\" }
  shop-db:
    kind: ContainerResource
    image: postgres:16
    connection: { engine: postgresql, database: shop, password: { env: DB_PASSWORD } }
assertions:
  - WorkflowAssert:
      steps:
        - name: place the order
          request: { resource: shop, url: /orders, method: POST, json: { item: 5 }, expected_status: 201 }
          capture: { id: $.id, token: { header: x-token, secret: true } }
        - name: it is stored
          query:
            resource: shop-db
            sql_query: SELECT status FROM orders WHERE id = $1
            params: [\"${captured.id}\"]
            value: new
          within: 5s
        - name: pay
          request:
            resource: shop
            url: /orders/${captured.id}/pay
            method: POST
            headers: { authorization: \"Bearer ${captured.token}\" }
            expected_json: { status: paid }
      cleanup:
        - name: remove the order
          request: { resource: shop, url: \"/orders/${captured.id}\", method: DELETE }
    timeout: 30s",
        says: &[
            "step ‹3› of ‹3›, ‹\"pay\"›: ‹answered 403 Forbidden: \"wrong token\"›, expected ‹2xx›; captured: ‹id 5, token [secret]›",
            "it held, but its cleanup failed: ‹\"remove the order\": answered 500 Internal Server Error›",
        ],
    },
];
