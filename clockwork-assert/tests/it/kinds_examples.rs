//! What `KINDS.md` shows of each kind beside its fields: an example, which has to be a valid manifest, and what it says
//! when it does not hold. What varies in a message stands in ‹›; the words around it have to stand in the code.

pub(crate) struct Example {
    pub(crate) kind: &'static str,
    /// A manifest without its `project`.
    pub(crate) manifest: &'static str,
    pub(crate) says: &'static [&'static str],
}

pub(crate) const EXAMPLES: &[Example] = &[
    Example {
        kind: "CommandAssert",
        manifest: "
assertions:
  - CommandAssert: { command: [nginx, -t], stderr: { contains: \"test is successful\" } }
  - CommandAssert: { command: [sh, -c, \"pg_dump --version | grep -o '16[.].*'\"], stdout: { starts_with: \"16.\" } }
    timeout: 10s",
        says: &[
            "exited with code ‹3›, expected ‹0›‹; stderr: \"no such host\"›",
            "there is no program ‹\"nginx\"› in the directories of PATH",
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
        kind: "ResponseTimeAssert",
        manifest: "
assertions:
  - ResponseTimeAssert: { url: \"http://localhost:8080/\", max_ms: 200, samples: 20, percentile: 95 }
    severity: warning",
        says: &["took ‹512 ms› at the ‹95th› percentile (fastest of ‹20› samples: ‹98 ms›)"],
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
];
