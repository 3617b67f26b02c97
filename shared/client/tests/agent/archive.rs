//! Real archives with a real HTTP server in them

use flate2::{Compression, write::GzEncoder};

/// Says its version on every path, and ends when it is told to
const SERVE: &str = r#"
import http.server, os, sys
VERSION = "{version}"
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = VERSION.encode()
        self.send_response({status})
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("serving", VERSION, "of", os.environ["WEIR_COMPONENT"], flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"#;

pub fn web(version: &str) -> Vec<u8> {
    script(&SERVE.replace("{version}", version).replace("{status}", "200"))
}

/// Serves, but answers 503: started, as far as the agent is concerned
pub fn unwell(version: &str) -> Vec<u8> {
    script(&SERVE.replace("{version}", version).replace("{status}", "503"))
}

/// An archive of `serve.py` alone
pub fn script(text: &str) -> Vec<u8> {
    tar_gz(&[("serve.py", text)])
}

/// An archive with these paths, as wicked as they are
pub fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}
