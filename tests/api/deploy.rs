//! The proxies of docs/DEPLOY.md, run with its examples. Only names, ports and certificates are replaced.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tempfile::TempDir;

use crate::support::{DEADLINE, PASSWORD, Server, User};

const DOCUMENT: &str = include_str!("../../docs/DEPLOY.md");
const NGINX: &str = include_str!("../../docs/deploy/nginx.conf");
const HAPROXY: &str = include_str!("../../docs/deploy/haproxy.cfg");

/// Returns the first example that follows some words of the document.
fn example(words: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(words).expect("the document says so");
    let (_, rest) = rest.split_once("\n```").expect("it has an example");
    rest.split_once('\n').and_then(|(_, rest)| rest.split_once("\n```\n")).expect("that ends").0
}

/// Replaces parts of an example. Each part must occur.
fn changed(example: &str, changes: &[(&str, &str)]) -> String {
    let mut text = example.to_owned();
    for (part, other) in changes {
        assert!(text.contains(part), "{part} is in {text}");
        text = text.replace(part, other);
    }
    text
}

/// The environment of a proxy.
struct Place<'a> {
    folder: &'a Path,
    /// Address on which the proxy listens.
    address: SocketAddr,
    greenroom: SocketAddr,
}

/// A running proxy, killed on drop.
struct Proxy {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the path of a program. Some are in a folder that only root has in its `PATH`.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

impl Proxy {
    /// Runs a program with a configuration file. Returns `None` if the program is not installed, and fails in
    /// CI.
    async fn start(
        server: &Server,
        program: &str,
        settings: impl Fn(&Place) -> String,
        run: impl Fn(&mut Command, &Place, &Path),
    ) -> Option<Self> {
        let Some(path) = find(program) else {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "there is no {program}");
            eprintln!("left out: there is no {program}");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let place = Place { folder: folder.path(), address, greenroom: server.address };
        let file = folder.path().join("settings");
        std::fs::write(&file, settings(&place)).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let mut command = Command::new(path);
        run(&mut command, &place, &file);
        command.current_dir(folder.path()).env("HOME", folder.path()).stdin(Stdio::null());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut proxy = Self { child, address, folder };
        proxy.answers(server).await;
        Some(proxy)
    }

    /// Waits until the proxy forwards requests.
    async fn answers(&mut self, server: &Server) {
        let deadline = Instant::now() + DEADLINE;
        let nobody = server.anonymous().asking(self.address);
        loop {
            let is_open = TcpStream::connect(self.address).is_ok();
            if is_open && nobody.send("GET", "/healthz", None).await.status == 200 {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap();
                panic!("it does not answer, {ended:?}: {log}");
            }
            crate::support::pause().await;
        }
    }
}

async fn server() -> Server {
    let server = Server::start_with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]);
    server.await
}

/// Signs in through a proxy, posts, and receives the event over a socket and an event stream, twice.
async fn carries_everything(server: &Server, proxy: &Proxy) {
    server.user("ann").await;
    let bob = server.user("bob").await.asking(proxy.address);
    for _ in 0..2 {
        let browser = server.anonymous().asking(proxy.address);
        // A browser sends the origin of the proxy, with TLS.
        let browser: User = browser.with("Origin", &format!("https://{}", proxy.address));
        let credentials = json!({"username": "ann", "password": PASSWORD});
        let reply = browser.send("POST", "/login/", Some(credentials)).await.expect(200);
        let ann = browser.with("Cookie", &reply.cookie());
        let group = json!({"chat_type": "group", "member_ids": [bob.id]});
        let chat = ann.post("chats/", group).await.expect(201).id();
        let page = ann.get("chats/?page_size=1&search=bob").await.expect(200);
        assert_eq!(page.json["results"][0]["id"], chat);
        let (mut socket, mut stream) = (bob.listens().await, bob.streams().await);
        for text in ["one", "two", "three"] {
            let path = format!("chats/{chat}/messages/");
            ann.post(&path, json!({"content": text})).await.expect(201);
            assert_eq!(socket.receives("new_message").await["message"]["content"], text);
            assert_eq!(stream.receives("new_message").await["message"]["content"], text);
        }
        socket.says(r#"{"type": "ping"}"#).await;
        socket.receives("pong").await;
    }
}

#[actix_rt::test(system = "crate::System")]
async fn nginx_carries_everything() {
    let server = server().await;
    let settings = |place: &Place| {
        // Without TLS, which is terminated before, and with one node.
        let (begin, rest) = NGINX.split_once("# Who comes without TLS").expect("it has a part without TLS");
        let (_, end) = rest.split_once("\n}\n").unwrap();
        let is_kept = |line: &&str| {
            !["ssl_", "listen [::]", "server_name", "server node2", "server node3"]
                .iter()
                .any(|part| line.trim_start().starts_with(part))
        };
        let example: Vec<&str> = begin.lines().chain(end.lines()).filter(is_kept).collect();
        let example = changed(
            &example.join("\n"),
            &[
                ("listen 443 ssl http2;", &format!("listen {};", place.address)),
                ("node1:8000", &place.greenroom.to_string()),
            ],
        );
        let folder = place.folder.display();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let folders: String =
            kinds.iter().map(|kind| format!("{kind}_temp_path {folder}/{kind};\n")).collect();
        format!(
            "pid {folder}/pid; daemon off; master_process off; error_log stderr; events {{}}\n\
             http {{ access_log off; {folders} {example} }}\n"
        )
    };
    let run = |command: &mut Command, place: &Place, file: &Path| {
        command.arg("-p").arg(place.folder).arg("-c").arg(file).args(["-e", "stderr"]);
    };
    let Some(proxy) = Proxy::start(&server, "nginx", settings, run).await else { return };
    carries_everything(&server, &proxy).await;
}

#[actix_rt::test(system = "crate::System")]
async fn haproxy_carries_everything() {
    let server = server().await;
    let settings = |place: &Place| {
        let is_kept = |line: &&str| {
            !["bind :80", "server node2", "server node3", "http-request redirect scheme https"]
                .iter()
                .any(|part| line.trim_start().starts_with(part))
        };
        let example: Vec<&str> = HAPROXY.lines().filter(is_kept).collect();
        changed(
            &(example.join("\n") + "\n"),
            &[
                (
                    "bind :443 ssl crt /etc/haproxy/chat.example.com.pem alpn h2,http/1.1",
                    &format!("bind {}", place.address),
                ),
                ("node1:8000", &place.greenroom.to_string()),
                // Within the default limit of open files.
                ("maxconn 100000", "maxconn 100"),
            ],
        )
    };
    let run = |command: &mut Command, _: &Place, file: &Path| {
        command.args(["-db", "-f"]).arg(file);
    };
    let Some(proxy) = Proxy::start(&server, "haproxy", settings, run).await else { return };
    carries_everything(&server, &proxy).await;
}

#[actix_rt::test(system = "crate::System")]
async fn caddy_carries_everything() {
    let server = server().await;
    let settings = |place: &Place| {
        let example = changed(
            example("**Caddy**"),
            &[
                ("chat.example.com", &format!("http://{}", place.address)),
                ("127.0.0.1:8000", &place.greenroom.to_string()),
            ],
        );
        format!("{{\n    admin off\n    auto_https off\n}}\n{example}\n")
    };
    let run = |command: &mut Command, place: &Place, file: &Path| {
        command.env("XDG_DATA_HOME", place.folder).env("XDG_CONFIG_HOME", place.folder);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
    };
    let Some(proxy) = Proxy::start(&server, "caddy", settings, run).await else { return };
    carries_everything(&server, &proxy).await;
}

#[actix_rt::test(system = "crate::System")]
async fn apache_carries_everything() {
    let server = server().await;
    let settings = |place: &Place| {
        let example = changed(
            example("**Apache**"),
            &[
                ("*:443", &place.address.to_string()),
                ("SSLEngine on", "SSLEngine off"),
                ("    SSLCertificateFile /etc/ssl/chat.example.com.pem\n", ""),
                ("    SSLCertificateKeyFile /etc/ssl/private/chat.example.com.key\n", ""),
                ("127.0.0.1:8000", &place.greenroom.to_string()),
            ],
        );
        let names = ["mpm_event", "authz_core", "proxy", "proxy_http", "proxy_wstunnel", "headers", "ssl"];
        let modules: String = names
            .iter()
            .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
            .collect();
        let folder = place.folder.display();
        // Effective only if root starts it.
        let user = "User www-data\nGroup www-data\n";
        format!(
            "{modules}{user}ServerName localhost\nPidFile {folder}/pid\nDefaultRuntimeDir {folder}\n\
             ErrorLog {folder}/log\nListen {}\n{example}\n",
            place.address
        )
    };
    let run = |command: &mut Command, place: &Place, file: &Path| {
        command.arg("-X").arg("-d").arg(place.folder).arg("-f").arg(file);
    };
    let Some(proxy) = Proxy::start(&server, "apache2", settings, run).await else { return };
    carries_everything(&server, &proxy).await;
}

#[actix_rt::test(system = "crate::System")]
async fn lighttpd_carries_everything() {
    let server = server().await;
    let settings = |place: &Place| {
        let example = changed(
            example("**lighttpd**"),
            &[("\"port\" => 8000", &format!("\"port\" => {}", place.greenroom.port()))],
        );
        let (folder, port) = (place.folder.display(), place.address.port());
        format!(
            "server.bind = \"127.0.0.1\"\nserver.port = {port}\nserver.document-root = \"{folder}\"\n\
             server.upload-dirs = (\"{folder}\")\n{example}\n"
        )
    };
    let run = |command: &mut Command, _: &Place, file: &Path| {
        command.args(["-D", "-f"]).arg(file);
    };
    let Some(proxy) = Proxy::start(&server, "lighttpd", settings, run).await else { return };
    carries_everything(&server, &proxy).await;
}

#[actix_rt::test(system = "crate::System")]
async fn varnish_carries_everything() {
    let server = server().await;
    let settings = |place: &Place| {
        let port = format!(".port = \"{}\"", place.greenroom.port());
        changed(example("**Varnish**"), &[(".port = \"8000\"", &port)]) + "\n"
    };
    let run = |command: &mut Command, place: &Place, file: &Path| {
        let address = place.address.to_string();
        command.args(["-F", "-j", "none", "-s", "malloc,16m", "-a", &address, "-n"]);
        command.arg(place.folder.join("work")).arg("-f").arg(file);
    };
    let Some(proxy) = Proxy::start(&server, "varnishd", settings, run).await else { return };
    carries_everything(&server, &proxy).await;
}
