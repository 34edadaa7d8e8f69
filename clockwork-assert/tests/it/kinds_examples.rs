//! What `KINDS.md` shows of each kind beside its fields: an example, which has to be a valid manifest, and what it says
//! when it does not hold. What varies in a message stands in ‹›; the words around it have to stand in the code.

mod across;

pub(crate) struct Example {
    pub(crate) kind: &'static str,
    /// A manifest without its `project`.
    pub(crate) manifest: &'static str,
    pub(crate) says: &'static [&'static str],
}

/// Those of all kinds.
pub(crate) fn examples() -> impl Iterator<Item = &'static Example> {
    EXAMPLES.iter().chain(across::EXAMPLES)
}

const EXAMPLES: &[Example] = &[
    Example {
        kind: "CommandAssert",
        manifest: "
assertions:
  - CommandAssert: { command: [sh, -c, \"pg_dump --version | grep -o '16[.].*'\"], stdout: { starts_with: \"16.\" } }
    timeout: 10s
  - CommandAssert: { command: [./checks/backup.py], sandbox: { read: [/srv/backups], network: loopback, memory: 256MB } }
  - CommandAssert: { command: [nginx, -t], stderr: { contains: \"test is successful\" }, sandbox: off }
  # Reads the resource as JSON, and writes `{\"verdict\": \"failed\", \"message\": \"2 of 3 replicas are ready\"}`.
  - CommandAssert: { command: [./checks/replicas.py], json: true, sandbox: required }",
        says: &[
            "exited with code ‹3›, expected ‹0›‹; stderr: \"no such host\"›",
            "there is no program ‹\"nginx\"› in the directories of PATH",
            "the sandbox allows it no network: `sandbox: { network: loopback }` grants what listens on this machine, `all` the rest",
            "the program ‹wrote nothing on its standard output, where its verdict should be›",
        ],
    },
    Example {
        kind: "ContainerHealthyAssert",
        manifest: "
resources:
  api:
    kind: ContainerResource
    image: acme/api:1.4
    health_check: { test: [\"CMD\", \"wget\", \"-qO-\", \"http://localhost/health\"] }
    assertions:
      - ContainerHealthyAssert: {}
        within: 1m",
        says: &[
            "is unhealthy: its last ‹4› checks failed\nthe last one exited with code ‹7› and wrote ‹\"refused\"›",
            "is still starting: its health check has not succeeded yet",
        ],
    },
    Example {
        kind: "ContainerImageAssert",
        manifest: "
resources:
  web:
    kind: ContainerResource
    image: nginx:1.27
    assertions:
      - ContainerImageAssert: {}",
        says: &[
            "is of an older ‹\"nginx:1.27\"›: it is ‹sha256:4f1a2b3c4d5e›, and the name now means ‹sha256:9a8b7c6d5e4f›; make the container anew",
        ],
    },
    Example {
        kind: "ContainerRestartsAssert",
        manifest: "
assertions:
  - ContainerRestartsAssert: { container: api, max: 2, within: 1h }",
        says: &[
            "was started again ‹4 times›‹› within the last ‹1h›, ‹7 times› in all",
            "is in a crash loop: it was started again ‹5 times›",
            "the kernel ended a process of it for want of memory‹ (limit 512 MiB)›",
        ],
    },
    Example {
        kind: "ContainerRunningAssert",
        manifest: "
assertions:
  - ContainerRunningAssert: { container: nginx-web }",
        says: &[
            "exited with code ‹3›‹, 4 s ago›; its restart policy `‹no›` leaves it so‹›\nthe last lines of its log:‹\n  \"cannot bind to port 80\"›",
            "keeps restarting (‹4› times so far): each time, it ‹exited with code 1›",
        ],
    },
    Example {
        kind: "CpuUsageAssert",
        manifest: "
assertions:
  - CpuUsageAssert: { process: postgres, max_percent: 150, over: 5s }
    timeout: 10s",
        says: &["used ‹187.3› % of a core over ‹5 s›"],
    },
    Example {
        kind: "DatabaseConnectionAssert",
        manifest: "
resources:
  shop-db:
    kind: ContainerResource
    image: postgres:16
    connection: { engine: postgresql, host: localhost, database: shop, user: admin, password: { env: DB_PASSWORD } }
    assertions:
      - DatabaseConnectionAssert
assertions:
  - DatabaseConnectionAssert: { host: db.internal, database: shop, credentials: { user: admin, password_env: DB_PASSWORD }, tls: verify-full }
    within: 30s",
        says: &[
            "‹db.internal:5432› refuses the user or the password: ‹\"password authentication failed for user \\\"admin\\\"\" (28P01)›",
            "‹db.internal:5432› takes nobody now: ‹\"the database system is starting up\" (57P03)›",
            "‹db.internal:5432› does not speak PostgreSQL: its answer begins with ‹\"HTTP/1.1 400 Bad Request\"›",
        ],
    },
    Example {
        kind: "DeployedRevisionAssert",
        manifest: "
assertions:
  - DeployedRevisionAssert: { url: \"https://shop.example/version\", json: version, expected: 1.4.2 }
  - DeployedRevisionAssert: { url: \"https://shop.example/\", header: x-revision, expected: { starts_with: 9f2c1e7 }, addresses: [10.0.0.7, 10.0.0.8] }",
        says: &[
            "expected ‹\"1.4.2\"›, but ‹10.0.0.7:443 has \"1.4.1\"; ›right at ‹10.0.0.8:443›",
            "‹10.0.0.8:443› tells no revision: its answer (‹200›) ‹has no header \"x-revision\"›",
        ],
    },
    Example {
        kind: "DirectoryExistsAssert",
        manifest: "
assertions:
  - DirectoryExistsAssert: { path: /var/lib/app }",
        says: &["‹/var/lib/app› is missing", "‹/var/lib/app› is ‹a regular file›, not a directory"],
    },
    Example {
        kind: "DiskSpaceAssert",
        manifest: "
assertions:
  - DiskSpaceAssert: { path: /var, min_gb_free: 5, inodes: 10000 }",
        says: &[
            "the filesystem of ‹/var› has ‹3.2 GB› free (‹3.0 GiB› of ‹37.3 GiB›)",
            "the filesystem of ‹/var› has no inode left: no file can be made on it, however many bytes are free",
        ],
    },
    Example {
        kind: "DiskUsageAssert",
        manifest: "
assertions:
  - DiskUsageAssert: { path: /var, max_percent: 90 }
  - DiskUsageAssert: { path: /var/log, max_mb: 500 }",
        says: &[
            "the filesystem of ‹/var› is ‹93.1 %› full: ‹37.2 GB› of ‹40.0 GB› used",
            "‹/var/log› takes ‹612.4 MB› in ‹218 entries›",
        ],
    },
    Example {
        kind: "DnsResolveAssert",
        manifest: "
assertions:
  - DnsResolveAssert: { hostname: shop.example, expected_ip: 203.0.113.7 }
  - DnsResolveAssert: { hostname: shop.example, record_type: MX, resolver: [192.0.2.53, 198.51.100.53], every_resolver: true }",
        says: &[
            "‹shop.example› does not exist (NXDOMAIN, says ‹10.0.0.2:53›)",
            "resolves to ‹203.0.113.9›, and not to ‹203.0.113.7›",
            "‹10.0.0.2:53› did not answer for ‹shop.example› (‹SERVFAIL› for ‹A›)",
            "has other ‹MX› records‹: …›; but ‹198.51.100.53:53› says ‹10 mail.example.›",
        ],
    },
    Example {
        kind: "FileContentMatchesAssert",
        manifest: "
assertions:
  - FileContentMatchesAssert: { path: /etc/app.conf, pattern: \"(?m)^port = \\\\d+$\" }
  - FileContentMatchesAssert: { path: /etc/app.yaml, yaml: { server.port: { between: [8000, 8999] } } }",
        says: &[
            "‹/etc/app.conf: ›nothing matches ‹\"(?m)^port = \\\\d+$\"›",
            "‹/etc/app.yaml: server.port: expected >= 8000 and <= 8999, got 80›",
        ],
    },
    Example {
        kind: "FileExistsAssert",
        manifest: "
assertions:
  - FileExistsAssert: { path: /run/app.sock }",
        says: &["‹/run/app.sock› is missing", "‹/run/app.sock› is a directory, not a file"],
    },
    Example {
        kind: "FileModifiedWithinAssert",
        manifest: "
assertions:
  - FileModifiedWithinAssert: { path: /var/backups/shop.dump, max_age: 26h }",
        says: &[
            "‹/var/backups/shop.dump› was last modified ‹2d3h› ago, ‹1d1h› longer than it may be",
            "‹/var/backups/shop.dump› was modified ‹1h› in the future: a clock is wrong, or its time was set by hand",
        ],
    },
    Example {
        kind: "FilePermissionsAssert",
        manifest: "
assertions:
  - FilePermissionsAssert: { path: /etc/app/key.pem, mode: { at_most: \"0640\" }, owner: root, group: ssl-cert }",
        says: &[
            "‹/etc/app/key.pem: ›mode is ‹0644›, expected ‹at most 0640› (too much: ‹o+r›)",
            "the ‹owner› is ‹app (1000)›, not ‹root›",
        ],
    },
    Example {
        kind: "FileSizeAssert",
        manifest: "
assertions:
  - FileSizeAssert: { path: /var/backups/shop.dump, min_bytes: 1MB }",
        says: &["‹/var/backups/shop.dump› is ‹312 bytes›, ‹999688 bytes (1.0 MB)› less than it should be"],
    },
    Example {
        kind: "HealthcheckAssert",
        manifest: "
assertions:
  - HealthcheckAssert: { url: \"http://localhost:8080/health\", json: { status: up } }
    within: 30s",
        says: &[
            "answered ‹503 Service Unavailable›: ‹\"down\\n\"›",
            "‹status: expected \"up\", got \"degraded\"›",
            "‹localhost:8080› does not speak HTTP: its answer begins with ‹\"SSH-2.0\"›",
        ],
    },
    Example {
        kind: "HttpBodyAssert",
        manifest: "
assertions:
  - HttpBodyAssert: { url: \"http://localhost:8080/\", contains: Welcome }
  - HttpBodyAssert: { url: \"http://localhost:8080/users\", json: { \"$[*].role\": { contains: admin } }, json_schema: users.schema.json }",
        says: &[
            "the body does not contain ‹\"Welcome\"›: ‹\"Bad gateway\"› (answered ‹502 Bad Gateway›)",
            "the body is not as `json_schema` says: ‹/0/id: it is not of type \"integer\", got \"7\"›",
            "the body is larger than the ‹1048576› bytes that are read of it",
        ],
    },
    Example {
        kind: "HttpHeaderAssert",
        manifest: "
assertions:
  - HttpHeaderAssert: { url: \"https://shop.example/\", header: strict-transport-security, value: { contains: max-age= } }
  - HttpHeaderAssert: { url: \"https://shop.example/\", header: x-powered-by, absent: true }",
        says: &[
            "the answer ‹of https://shop.example/ (200 OK)› has no header ‹\"strict-transport-security\"›",
            "the answer ‹of https://shop.example/ (200 OK)› has the header ‹\"x-powered-by\"›: ‹\"PHP/5.6\"›",
        ],
    },
    Example {
        kind: "HttpStatusAssert",
        manifest: "
assertions:
  - HttpStatusAssert: { url: \"http://localhost:8080/\", expected_status: 2xx }
  - HttpStatusAssert: { url: \"http://localhost:8080/admin\", expected_status: [401, 403] }",
        says: &["answered ‹503 Service Unavailable›: ‹\"down\\n\"›", "redirects go round in a circle: ‹http://localhost:8080/a → …›"],
    },
    Example {
        kind: "LogContainsAssert",
        manifest: "
assertions:
  - LogContainsAssert: { container: worker, pattern: \"ERROR|panic\", lines: 500, absent: true }",
        says: &["‹3› lines match, the latest is ‹line 17 from the end›: ‹\"ERROR: no route\"›"],
    },
    Example {
        kind: "MemoryUsageAssert",
        manifest: "
assertions:
  - MemoryUsageAssert: { container: api, max_mb: 512 }",
        says: &["uses ‹613.2 MB›", "uses ‹5.0 MB›, ‹3› processes together"],
    },
    Example {
        kind: "MigrationsAppliedAssert",
        manifest: "
assertions:
  - MigrationsAppliedAssert: { table: _sqlx_migrations, directory: migrations, connection: { engine: postgresql, database: shop } }
  - MigrationsAppliedAssert: { table: django_migrations, version: shop.0007_prices, connection: { engine: sqlite, path: shop.db } }",
        says: &[
            "‹sqlx: ›migration ‹\"20240301\"› ‹›is pending",
            "‹sqlx: ›migration ‹\"20240215\"› ‹›has not run, and newer ones have‹› (up to ‹\"20240301\"›)",
            "‹sqlx: ›migration ‹\"20240101\"› ‹›ran with another content than its file has now",
        ],
    },
    Example {
        kind: "NoOpenPortsAssert",
        manifest: "
resources:
  api: { kind: ContainerResource, image: \"acme/api:1.4\" }
assertions:
  - NoOpenPortsAssert: { scope: public, except_ports: [22, 443] }
  - NoOpenPortsAssert: { except_ports: [8080] }
    at: api
  - NoOpenPortsAssert: { host: db.example, range: \"1-1024\", except_ports: [22] }
    timeout: 1m",
        says: &[
            "port ‹6379› is open on ‹0.0.0.0› (‹redis-server, pid 812›)‹›; stop what listens there, or name the port in `except_ports`",
            "port ‹23› of ‹db.example› accepted a connection at ‹192.0.2.1›",
        ],
    },
    Example {
        kind: "PortAccessibleAssert",
        manifest: "
assertions:
  - PortAccessibleAssert: { host: db.internal, port: 5432 }",
        says: &["nothing is there at ‹10.0.0.5:5353›/udp (‹refused›)", "‹db.internal› does not resolve to an address"],
    },
    Example {
        kind: "ProcessNotRunningAssert",
        manifest: "
assertions:
  - ProcessNotRunningAssert: { name: telnetd }",
        says: &["a ‹process named telnetd› is running: ‹telnetd (pid 812, user root)›"],
    },
    Example {
        kind: "ProcessRunningAssert",
        manifest: "
assertions:
  - ProcessRunningAssert: { name: nginx, min_count: 2, user: www-data }",
        says: &[
            "1 ‹process named nginx of user www-data› is running: ‹nginx (pid 71)›; expected at least ‹2›",
            "no ‹process named nginx of user www-data› is running‹›; expected at least ‹2›",
        ],
    },
    Example {
        kind: "PythonAssert",
        manifest: "
resources:
  api:
    kind: EndpointResource
    url: http://localhost:8080/
    assertions:
      - PythonAssert: { file: checks/api.py, function: validate_api_response, python: .venv/bin/python }
      - PythonAssert:
          file: checks/api.py
          function: answers_within
          args: { limit: 3, token: { env: API_TOKEN } }
          sandbox: { network: loopback }",
        says: &[
            "assert ‹response.status == 200›: ‹response.status is 503› (‹checks/api.py:12›)",
            "raised ‹KeyError: 'x'› (at ‹checks/api.py:12 in validate: \"resp['x']\"›)",
            "did not end in time: it ran for ‹5 s› (it stood at ‹checks/api.py:12 in validate: \"time.sleep(60)\"›)",
            "returned ‹1› of type ‹int›, which is no verdict",
        ],
    },
    Example {
        kind: "QuerySuccessAssert",
        manifest: "
assertions:
  - QuerySuccessAssert:
      sql_query: SELECT count(*) FROM orders WHERE status = $1 AND placed < now() - interval '1 hour'
      params: [stuck]
      value: { lte: 5 }
      max_ms: 200
      connection: { engine: postgresql, database: shop, user: reader, password_env: DB_PASSWORD }",
        says: &[
            "value: ‹expected <= 5, got 12›",
            "took ‹512 ms›, at most ‹200› ms are allowed",
            "the statement writes, and the server refused it: ‹\"cannot execute DELETE in a read-only transaction\" (25006)›",
        ],
    },
    Example {
        kind: "ResponseTimeAssert",
        manifest: "
assertions:
  - ResponseTimeAssert: { url: \"http://localhost:8080/\", max_ms: 200, samples: 20, percentile: 95 }
    severity: warning",
        says: &["took ‹512 ms› at the ‹95th› percentile (fastest of ‹20› samples: ‹98 ms›)"],
    },
    Example {
        kind: "RowCountAssert",
        manifest: "
assertions:
  - RowCountAssert: { table: users, min: 1, where: deleted_at IS NULL, connection: { engine: mysql, database: shop, user: reader } }",
        says: &["‹\"users\"› has ‹0 rows›‹ for which the condition holds›, expected ‹at least 1 row›"],
    },
    Example {
        kind: "SecretsPresentAssert",
        manifest: "
resources:
  api:
    kind: ContainerResource
    image: acme/api:1.4
    assertions:
      - SecretsPresentAssert: { env_vars: [DB_PASSWORD, API_KEY], min_length: 16 }
assertions:
  - SecretsPresentAssert: { files: [/run/secrets/api-key] }
    at: api",
        says: &[
            "‹DB_PASSWORD› is not set‹ in the environment of the container api›",
            "‹API_KEY ›holds a placeholder, not a secret",
        ],
    },
    Example {
        kind: "ServiceActiveAssert",
        manifest: "
assertions:
  - ServiceActiveAssert: { unit: nginx, enabled: true }
  - ServiceActiveAssert: { unit: telnet.socket }
    not: true",
        says: &[
            "‹nginx.service› failed‹ (exit-code): its process exited with code 3›; `journalctl -u ‹nginx.service›` tells more",
            "‹nginx.service› is active, but ‹is not enabled (disabled): it does not start at boot›",
        ],
    },
    Example {
        kind: "SslCertificateAssert",
        manifest: "
resources:
  shop:
    kind: EndpointResource
    url: https://shop.example/
    assertions:
      - SslCertificateAssert: { min_days_valid: 14, min_tls: 1.2, issuer: { contains: Let's Encrypt } }
  mail:
    kind: EndpointResource
    host: mail.example
    port: 25
    assertions:
      - SslCertificateAssert: { starttls: smtp, ca_file: /etc/ssl/company-ca.pem, crl_file: /etc/ssl/company.crl }",
        says: &[
            "‹certificate 2 of 3 (\"CN=between\")› expired ‹13 days› ago (‹2026-01-18T12:00:00Z›)",
            "‹the certificate \"CN=shop\"› expires in ‹11 days› (‹2026-02-11T12:00:00Z›), and has to be valid for ‹14› days at least",
            "‹certificate 1 of 2 (\"CN=shop\")› is not for ‹\"shop.example\"› but for ‹\"www.shop.example\"›",
            "‹the certificate \"CN=shop\"› is signed by ‹\"CN=between\"›, which the server does not send and which is not among ‹the roots of this machine›: an intermediate certificate is missing, or the CA is not known here",
            "the server accepts ‹TLS 1.0›, which is older than ‹TLS 1.2›",
        ],
    },
    Example {
        kind: "TableExistsAssert",
        manifest: "
assertions:
  - TableExistsAssert: { table: app.users, columns: { id: bigint, email: varchar(255) }, connection: { engine: postgresql, database: shop } }",
        says: &[
            "there is no table ‹\"users\"› (‹search_path: public›)‹›; there is ‹\"app.users\"›",
            "‹\"app.users\": ›column ‹\"id\"› is ‹\"integer\"›, expected ‹\"bigint\"›",
        ],
    },
    Example {
        kind: "TcpResponseAssert",
        manifest: "
assertions:
  - TcpResponseAssert: { host: cache.internal, port: 6379, send: \"PING\\r\\n\", expect: \"+PONG\\r\\n\" }
  - TcpResponseAssert: { host: mail.internal, port: 25, expect: { starts_with: \"220 \" } }",
        says: &[
            "‹cache.internal:6379› answered otherwise: ‹expected \"+PONG\\r\\n\", got \"-NOAUTH\\r\\n\"›",
            "‹mail.internal:25 ›closed the connection without a greeting",
        ],
    },
    Example {
        kind: "VulnerabilityScanAssert",
        manifest: "
resources:
  api:
    kind: ContainerResource
    image: acme/api:1.4
    assertions:
      - VulnerabilityScanAssert:
          database: /var/lib/osv # <ecosystem>/all.zip
          max_database_age: 5d
          fail_on: high
          unknown_severity: ignore
          only_fixed: true
          ignore:
            - { id: CVE-2024-0727, package: openssl, until: 2027-01-31, reason: reads no PKCS12 files }
assertions:
  - VulnerabilityScanAssert: { lockfile: Cargo.lock, api: \"https://api.osv.dev\" }",
        says: &[
            "‹3› packages have known vulnerabilities ‹at or above high›: ‹libssl3 3.0.11-1~deb12u1 (CVE-2023-5363, high, fixed in 3.0.11-1~deb12u2)›; upgrade what has a fix, and put what can be lived with into `ignore` with a reason‹›",
            "nothing is proven, because not everything could be scanned: ‹/var/lib/osv/Debian/all.zip›‹: the database is too old: its last record is of ‹2026-10-01›, ‹53 days› ago (at most ‹5 days›)",
        ],
    },
];
