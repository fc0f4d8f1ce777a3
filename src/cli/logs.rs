//! `wheelhouse logs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::IsTerminal,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use jiff::Timestamp;
use regex::Regex;
use serde::Serialize;
use tokio::{sync::mpsc, time::Instant};

use super::{Common, Failure, Format, headroom, output, session, session::Session, table};
use crate::{
    cluster::{LogLine, LogRange, LogSource, PodState, Snapshot, TenantName},
    live,
    ui::{filter, format},
};

/// Lines of each container that are printed where nothing else is said.
const TAIL: u32 = 200;

/// What the containers wrote before it was asked comes in this time, and is told in the order of its times.
const GATHER: Duration = Duration::from_secs(2);

/// While it is followed, lines that come within this time of each other are told in the order of their times.
const TOGETHER: Duration = Duration::from_millis(300);

/// The arguments of `wheelhouse logs`.
#[derive(Debug, Args)]
#[command(
    after_help = "The lines of all pods stand in the order of their times, each with the pod it came from.\n\
                        With -f they stand as they come, and the pods that a rollout or a scaling makes are followed as well."
)]
pub(super) struct LogsArgs {
    /// The tenant, as `wheelhouse tenants` names it
    tenant: String,
    /// These pods alone, by their names or the ends of them
    #[arg(value_name = "POD")]
    pods: Vec<String>,
    /// This container [default: the one that serves requests]
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Every container of each pod
    #[arg(long, conflicts_with = "container")]
    all_containers: bool,
    /// Go on with what is written from now on
    #[arg(short, long, conflicts_with = "previous")]
    follow: bool,
    /// Not older than this, such as 10m
    #[arg(long, value_name = "SPAN", value_parser = super::span::span)]
    since: Option<Duration>,
    /// So many of the last lines of each container, or `all` [default: 200, with --since all]
    #[arg(long, value_name = "N", value_parser = tail)]
    tail: Option<Tail>,
    /// Only lines that match this regular expression (upper and lower case alike unless it has an upper-case letter)
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    grep: Vec<Regex>,
    /// Only lines that do not match this one
    #[arg(long, value_name = "REGEX", value_parser = pattern)]
    not: Vec<Regex>,
    /// What the container wrote before its last restart
    #[arg(short, long)]
    previous: bool,
    /// Print no times
    #[arg(long)]
    no_times: bool,
    /// How it is printed: with json one object a line
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

#[derive(Clone, Copy, Debug)]
enum Tail {
    All,
    Lines(u32),
}

fn tail(text: &str) -> Result<Tail, String> {
    match text {
        "all" | "-1" => Ok(Tail::All),
        _ => text.parse().map(Tail::Lines).map_err(|_| "it is neither a number of lines nor `all`".into()),
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    filter::pattern(text).map_err(|why| {
        let why = why.to_string();
        let last = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("it is no regular expression: {last}")
    })
}

/// One line as JSON.
#[derive(Serialize)]
struct LineJson<'a> {
    at: Option<Timestamp>,
    pod: &'a str,
    container: &'a str,
    text: &'a str,
}

type Came = (LogSource, Result<Vec<LogLine>, String>);

/// What is read, and what has been told.
struct Reading {
    args: LogsArgs,
    tenant: TenantName,
    range: LogRange,
    tell: mpsc::Sender<Came>,
    known: BTreeSet<LogSource>,
    /// How many have not ended.
    open: usize,
    troubles: Vec<String>,
    printed: bool,
    colours: bool,
}

pub(super) async fn run(common: &Common, args: LogsArgs) -> Result<(), Failure> {
    let mut session = session::open(common).await?;
    let snapshot = session.observed().await?;
    let tenant = headroom::tenant(&snapshot, &args.tenant)?.name.clone();
    let tail = match (args.tail, args.since) {
        (Some(Tail::All), _) | (None, Some(_)) => None,
        (Some(Tail::Lines(lines)), _) => Some(lines),
        (None, None) => Some(TAIL),
    };
    let since = args.since.map(|span| u32::try_from(span.as_secs()).unwrap_or(u32::MAX).max(1));
    let range = LogRange { tail, since, previous: args.previous, follow: args.follow };
    let (tell, came) = mpsc::channel(64);
    let colours =
        std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let reading = Reading {
        args,
        tenant,
        range,
        tell,
        known: BTreeSet::new(),
        open: 0,
        troubles: Vec::new(),
        printed: false,
        colours,
    };
    reading.read(&session, &snapshot, came).await
}

impl Reading {
    async fn read(
        mut self,
        session: &Session,
        snapshot: &Snapshot,
        mut came: mpsc::Receiver<Came>,
    ) -> Result<(), Failure> {
        self.begin(session, self.sources(snapshot)?);
        let mut first: BTreeMap<LogSource, Vec<LogLine>> = BTreeMap::new();
        let until = Instant::now() + GATHER;
        let mut silent = self.known.clone();
        // An ended log is read whole; of one that is followed, what came at once is put in order.
        while self.open > 0 && (!self.range.follow || !silent.is_empty()) {
            let next = if self.range.follow {
                tokio::time::timeout_at(until, came.recv()).await.unwrap_or(None)
            } else {
                came.recv().await
            };
            let Some((source, batch)) = next else { break };
            silent.remove(&source);
            match batch {
                Ok(lines) if lines.is_empty() => self.open -= 1,
                Ok(lines) => first.entry(source).or_default().extend(lines),
                Err(why) => self.trouble(&source, why)?,
            }
        }
        self.print(first)?;
        if self.range.follow {
            self.go_on(session, came).await?;
        }
        if !self.troubles.is_empty() && !self.printed {
            return Err(Failure::Told);
        }
        Ok(())
    }

    /// Prints what comes, and takes up the pods that are made meanwhile, until nobody wants it any more.
    async fn go_on(&mut self, session: &Session, mut came: mpsc::Receiver<Came>) -> Result<(), Failure> {
        let mut seen = session.seen.clone();
        loop {
            tokio::select! {
                next = came.recv() => {
                    let Some(mut next) = next else { return Ok(()) };
                    // What came together is told in the order of its times.
                    let until = Instant::now() + TOGETHER;
                    let mut together: BTreeMap<LogSource, Vec<LogLine>> = BTreeMap::new();
                    loop {
                        match next {
                            (_, Ok(lines)) if lines.is_empty() => self.open -= 1,
                            (source, Ok(lines)) => together.entry(source).or_default().extend(lines),
                            (source, Err(why)) => self.trouble(&source, why)?,
                        }
                        match tokio::time::timeout_at(until, came.recv()).await {
                            Ok(Some(more)) => next = more,
                            _ => break,
                        }
                    }
                    self.print(together)?;
                },
                changed = seen.changed() => {
                    if changed.is_err() {
                        return Ok(());
                    }
                    let snapshot = seen.borrow_and_update().clone();
                    // Without pods of the name there are none to take up yet.
                    let new: Vec<_> = self.sources(&snapshot).unwrap_or_default();
                    let new: Vec<_> = new.into_iter().filter(|s| !self.known.contains(s)).collect();
                    self.begin(session, new);
                }
            }
        }
    }

    /// Whose logs are asked for, of the pods that are there now.
    fn sources(&self, snapshot: &Snapshot) -> Result<Vec<LogSource>, Failure> {
        let args = &self.args;
        let tenant = headroom::tenant(snapshot, self.tenant.as_str())?;
        let mut pods: Vec<_> =
            tenant.pods.iter().filter(|pod| snapshot.state_of(pod) != PodState::Finished).collect();
        pods.sort_by(|a, b| format::natural(&a.key.name, &b.key.name));
        let all: Vec<_> = pods.iter().map(|pod| pod.key.name.to_string()).collect();
        let is = |name: &str, asked: &String| name == asked || name.ends_with(&format!("-{asked}"));
        if let Some(none) = args.pods.iter().find(|asked| !all.iter().any(|name| is(name, asked))) {
            return Err(Failure::Failed(format!(
                "{} has no pod {}; it has {}",
                self.tenant,
                table::plain(none),
                table::plain(&all.join(", "))
            )));
        }
        pods.retain(|pod| args.pods.is_empty() || args.pods.iter().any(|asked| is(&pod.key.name, asked)));
        if pods.is_empty() {
            return Err(Failure::Failed(format!("{} has no pod, hence no log", self.tenant)));
        }
        let mut sources = Vec::new();
        for pod in &pods {
            let names = || pod.spec.containers.iter().map(|container| container.name.clone());
            let serving: Option<Arc<str>> =
                names().find(|name| **name == *snapshot.tenancy.container).or_else(|| names().next());
            let wanted = |name: &Arc<str>| match &args.container {
                Some(asked) => **name == **asked,
                None => args.all_containers || Some(name) == serving.as_ref(),
            };
            let of = |container: Arc<str>| LogSource { pod: pod.key.clone(), container };
            sources.extend(names().filter(wanted).map(of));
        }
        if sources.is_empty() {
            let names = pods.iter().flat_map(|pod| &pod.spec.containers).map(|c| c.name.to_string());
            let names: BTreeSet<String> = names.collect();
            return Err(Failure::Failed(format!(
                "the pods of {} have no container {}; they have {}",
                self.tenant,
                table::plain(args.container.as_deref().unwrap_or_default()),
                table::plain(&names.into_iter().collect::<Vec<_>>().join(", "))
            )));
        }
        Ok(sources)
    }

    fn begin(&mut self, session: &Session, sources: Vec<LogSource>) {
        for source in sources {
            let mut lines = live::read_log(&session.wire, &source, self.range);
            let tell = self.tell.clone();
            self.known.insert(source.clone());
            self.open += 1;
            tokio::spawn(async move {
                while let Some(batch) = lines.recv().await {
                    if tell.send((source.clone(), batch)).await.is_err() {
                        return;
                    }
                }
                // No lines: it has ended.
                let _ = tell.send((source, Ok(Vec::new()))).await;
            });
        }
    }

    fn trouble(&mut self, source: &LogSource, why: String) -> Result<(), Failure> {
        let text = format!("{}: {}", source.pod.name, table::plain(&why));
        output::tell(&text)?;
        self.troubles.push(text);
        Ok(())
    }

    /// Prints lines of many containers in the order of their times.
    fn print(&mut self, came: BTreeMap<LogSource, Vec<LogLine>>) -> Result<(), Failure> {
        let mut all: Vec<(Timestamp, &LogSource, &LogLine)> = Vec::new();
        for (source, lines) in &came {
            // What has no time stands behind what came before it.
            let mut at = Timestamp::MIN;
            for line in lines {
                at = line.at.unwrap_or(at);
                all.push((at, source, line));
            }
        }
        all.sort_by_key(|(at, ..)| *at);
        let mut text = String::new();
        for (_, source, line) in all {
            let plain = format::plain(&line.text);
            let wanted = self.args.grep.iter().all(|pattern| pattern.is_match(&plain))
                && !self.args.not.iter().any(|pattern| pattern.is_match(&plain));
            if wanted {
                self.printed = true;
                text += &self.line(source, line.at, &plain)?;
            }
        }
        match self.args.output {
            Format::Json => output::print_as_it_is(&text),
            Format::Table => output::print(&text),
        }
    }

    fn line(&self, source: &LogSource, at: Option<Timestamp>, text: &str) -> Result<String, Failure> {
        let (pod, container) = (&*source.pod.name, &*source.container);
        if self.args.output == Format::Json {
            let line = serde_json::to_string(&LineJson { at, pod, container, text });
            return line.map(|line| line + "\n").map_err(|why| Failure::Failed(why.to_string()));
        }
        let mut line = String::new();
        if !self.args.no_times {
            line += &at.map_or("-".into(), format::time);
            line.push(' ');
        }
        if self.known.len() > 1 || self.range.follow {
            let of = if self.args.all_containers { format!("{pod}/{container}") } else { pod.to_owned() };
            let of = table::plain(&of);
            // The same colours in the same order, one for each container.
            let at = self.known.iter().position(|known| known == source).unwrap_or(0);
            line += &match self.colours {
                true => format!("\x1b[{}m{of}\x1b[0m ", [36, 35, 34, 32][at % 4]),
                false => format!("{of} "),
            };
        }
        Ok(format!("{line}{text}\n"))
    }
}
