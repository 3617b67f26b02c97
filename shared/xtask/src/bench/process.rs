//! An artefact as a process, behind a Runtime API that does nothing but count time

use crate::Error;
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// A process that does not poll within this is broken
const PATIENCE: Duration = Duration::from_secs(20);

/// One request of the runtime, at the moment that its head had arrived
struct Seen {
    at: Instant,
    stream: TcpStream,
    is_poll: bool,
}

/// What a warm call takes, in milliseconds
pub(super) struct Warm {
    pub p50: f64,
    pub p99: f64,
}

/// The median time from starting `binary` to its first poll, in milliseconds
pub(super) fn exec_to_first_poll(binary: &Path, handler: &str, starts: usize) -> Result<f64, Error> {
    let mut times = Vec::with_capacity(starts);
    for _ in 0..starts {
        let (address, seen) = runtime_api()?;
        let started = Instant::now();
        let _process = Running::start(binary, handler, &address)?;
        times.push(next(&seen, true)?.at.duration_since(started));
    }
    Ok(quantile(times, 50))
}

/// What one warm call of `handler` takes, from its event's first byte to its answer's head
pub(super) fn warm_overhead(binary: &Path, handler: &str, calls: usize) -> Result<Warm, Error> {
    let (address, seen) = runtime_api()?;
    let _process = Running::start(binary, handler, &address)?;
    let mut times = Vec::with_capacity(calls);
    for call in 0..calls + calls / 10 {
        let mut poll = next(&seen, true)?;
        let sent = Instant::now();
        answer(&mut poll.stream, 200, &head(call), EVENT)?;
        let mut response = next(&seen, false)?;
        if call >= calls / 10 {
            times.push(response.at.duration_since(sent));
        }
        answer(&mut response.stream, 202, "", "{}")?;
    }
    Ok(Warm { p50: quantile(times.clone(), 50), p99: quantile(times, 99) })
}

/// `GET /v1/health`, as API Gateway would hand it over
const EVENT: &str = r#"{"version":"2.0","routeKey":"GET /v1/health","rawPath":"/v1/health","rawQueryString":"","headers":{"host":"localhost"},"requestContext":{"accountId":"1","apiId":"a","domainName":"localhost","domainPrefix":"a","http":{"method":"GET","path":"/v1/health","protocol":"HTTP/1.1","sourceIp":"127.0.0.1","userAgent":"bench"},"requestId":"r","routeKey":"GET /v1/health","stage":"$default","time":"01/Jan/2026:00:00:00 +0000","timeEpoch":1767225600000},"isBase64Encoded":false}"#;

fn head(call: usize) -> String {
    format!(
        "lambda-runtime-aws-request-id: {call}\r\nlambda-runtime-deadline-ms: 9999999999999\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n"
    )
}

/// A process that ends with its owner
struct Running(Child);

impl Running {
    fn start(binary: &Path, handler: &str, address: &str) -> Result<Self, Error> {
        let environment = [
            ("AWS_LAMBDA_RUNTIME_API", address),
            ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
            ("_HANDLER", handler),
            ("WEIR_STAGE", "bench"),
            ("WEIR_WORKSPACE", "bench"),
            ("WEIR_TABLE", "bench"),
            ("WEIR_BUCKET", "bench"),
            ("WEIR_JOBS_QUEUE", "bench"),
            ("WEIR_NOTIFY_QUEUE", "bench"),
            ("WEIR_OPERATION_MACHINE", "bench"),
            ("WEIR_SEGMENT_MACHINE", "bench"),
            ("WEIR_SIGNING_KEY", "bench"),
        ];
        let mut command = Command::new(binary);
        command.env_clear().envs(environment).stdout(Stdio::null()).stderr(Stdio::null());
        let started = command.spawn();
        let program = binary.display().to_string();
        Ok(Self(started.map_err(|source| Error::Program { program, source })?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// A Runtime API on loopback: its address, and every request as it comes
fn runtime_api() -> Result<(String, Receiver<Seen>), Error> {
    let wrong = |error: std::io::Error| Error::Failed(format!("listening on loopback: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").map_err(wrong)?;
    let address = listener.local_addr().map_err(wrong)?.to_string();
    let (send, receive) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let send = send.clone();
            thread::spawn(move || serve(&stream, &send));
        }
    });
    Ok((address, receive))
}

/// Reads one request after the other off a connection
fn serve(stream: &TcpStream, send: &Sender<Seen>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let is_poll = line.starts_with("GET ");
        let mut length = 0usize;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = header.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        let at = Instant::now();
        let mut body = vec![0u8; length];
        reader.read_exact(&mut body).ok()?;
        send.send(Seen { at, stream: stream.try_clone().ok()?, is_poll }).ok()?;
    }
}

fn next(seen: &Receiver<Seen>, is_poll: bool) -> Result<Seen, Error> {
    loop {
        let found =
            seen.recv_timeout(PATIENCE).map_err(|_| Error::Failed("a function did not answer".to_owned()))?;
        if found.is_poll == is_poll {
            return Ok(found);
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> Result<(), Error> {
    let text = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).map_err(|error| Error::Failed(format!("answering a function: {error}")))
}

fn quantile(mut times: Vec<Duration>, percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1_000.0)
}
