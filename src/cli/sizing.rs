//! `wheelhouse sizing`.

use std::{collections::BTreeMap, io, path::PathBuf, pin::pin, time::Duration};

use clap::Args;
use jiff::Timestamp;

use super::{Common, Failure, Format, Output, output, session, table};
use crate::{
    cluster::{Advice, Memory, Snapshot, Tenant, TenantName, Use, advised_by, advised_with},
    cockpit,
    live::workers::{StatusPage, measured},
    plan::unknown_tenant,
    record::{Recording, is_recording, open_kept, open_regular},
};

/// The arguments of `wheelhouse sizing`.
#[derive(Debug, Args)]
pub(super) struct SizingArgs {
    /// One tenant; without it all of them
    tenant: Option<String>,
    /// Measure for so long before the advice is given
    #[arg(long = "for", value_name = "SPAN", value_parser = super::span::span, conflicts_with = "from")]
    lasting: Option<Duration>,
    /// Meanwhile count the requests as well: where each pod of TENANT serves the status page of its php-fpm, such as
    /// 8080/status, reached by port-forward every 5 s. An interrupt ends it sooner
    #[arg(long, value_name = "PORT/PATH", requires_all = ["tenant", "lasting"])]
    status: Option<StatusPage>,
    /// A recording of `wheelhouse record` instead of a cluster. Or measurements of one serving container of TENANT, a line each:
    /// TIME,MEMORY,REQUESTS (RFC 3339 or Unix seconds; bytes or an amount such as 412Mi; requests active then, or nothing)
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(common: &Common, args: SizingArgs) -> Result<(), Failure> {
    if let Some(file) = args.from.as_ref().filter(|file| is_recording(file)) {
        return of_recording(file.clone(), args.tenant.as_deref(), args.output).await;
    }
    let given = args.from.as_ref().map(|file| {
        let opened = open_regular(file).map_err(Failure::Failed)?;
        if args.tenant.is_none() {
            return Err(Failure::Usage(
                "--from with measurements wants a TENANT: they are of one serving container; a recording has all tenants".into(),
            ));
        }
        let failed = |why: &str| Failure::Failed(format!("{} {why}", file.display()));
        let text = io::read_to_string(opened).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => failed("is neither a recording of wheelhouse nor measurements"),
            _ => failed(&format!("cannot be read: {error}")),
        })?;
        read(&text).map_err(|why| failed(&format!("holds no measurements: {why}")))
    });
    let given = given.transpose()?;
    let mut session = session::open(common).await?;
    let mut seen = session.observed().await?;
    let name = args.tenant.as_deref().map(TenantName::from);
    if let Some(name) = name.as_ref().filter(|name| !seen.tenants.contains_key(*name)) {
        return Err(Failure::Failed(table::plain(&unknown_tenant(&seen, name.as_str()))));
    }
    let mut counted = None;
    if let Some(span) = args.lasting {
        let mut asked = pin!(cockpit::asked_to_stop());
        let enough = async {
            tokio::select! {
                () = &mut asked => {}
                () = tokio::time::sleep(span) => {}
            }
        };
        match (&args.status, &name) {
            (Some(page), Some(tenant)) => {
                let uses = measured(&session.wire, &session.seen, tenant, page, enough).await;
                counted = Some(uses.map_err(|why| Failure::Failed(table::plain(&why)))?);
            }
            _ => enough.await,
        }
        seen = session.seen.borrow().clone();
    }
    // What the cockpit has kept of this cluster counts as well.
    let kept = match &given {
        Some(_) => BTreeMap::new(),
        None => {
            let (state_dir, wire) = (session::state_dir()?, session.wire.clone());
            let read = tokio::task::spawn_blocking(move || {
                open_kept(&state_dir, wire.context(), wire.server())?.uses()
            });
            read.await.map_err(Failure::failed)?.unwrap_or_default()
        }
    };
    let kept_of = |tenant: &Tenant| kept.get(&tenant.name).map_or(&[][..], Vec::as_slice);
    let of = |tenant: &Tenant| match (&given, &counted) {
        (Some(uses), _) => advised_by(&seen, tenant, uses.iter().copied()),
        (None, Some(counted)) => {
            // No peak of the time before is forgotten.
            let first = counted.first().map(|one| one.at);
            let before =
                kept_of(tenant).iter().copied().filter(|one| first.is_none_or(|first| one.at < first));
            advised_by(&seen, tenant, before.chain(counted.iter().copied()))
        }
        (None, None) => advised_with(&seen, tenant, kept_of(tenant)),
    };
    told(&seen, name.as_ref(), of, args.output)
}

/// The advice from a recording: its last moment says what is so now.
async fn of_recording(file: PathBuf, tenant: Option<&str>, output: Output) -> Result<(), Failure> {
    let read = tokio::task::spawn_blocking(move || {
        let mut recording = Recording::open(&[file])?;
        let (seen, uses) = (recording.at(usize::MAX)?, recording.uses()?);
        Ok::<_, String>((seen, uses, recording.gaps().to_vec()))
    });
    let (seen, uses, gaps) = read.await.map_err(Failure::failed)?.map_err(Failure::Failed)?;
    for gap in gaps {
        output::tell(format_args!("▲ {}", table::plain(&gap)))?;
    }
    let name = tenant.map(TenantName::from);
    if let Some(name) = name.as_ref().filter(|name| !seen.tenants.contains_key(*name)) {
        return Err(Failure::Failed(table::plain(&unknown_tenant(&seen, name.as_str()))));
    }
    let of =
        |tenant: &Tenant| advised_by(&seen, tenant, uses.get(&tenant.name).into_iter().flatten().copied());
    told(&seen, name.as_ref(), of, output)
}

/// Prints the advice for one tenant, or for all.
fn told(
    seen: &Snapshot,
    name: Option<&TenantName>,
    of: impl Fn(&Tenant) -> Advice,
    output: Output,
) -> Result<(), Failure> {
    let wanted = |found: &&TenantName| name.is_none_or(|name| name == *found);
    let all: Vec<Advice> =
        seen.tenants.iter().filter(|(found, _)| wanted(found)).map(|(_, tenant)| of(tenant)).collect();
    match (output.output, all.as_slice(), name) {
        (Format::Json, [one], Some(_)) => table::json(one),
        (Format::Json, all, _) => table::json(&all),
        (Format::Table, [one], Some(_)) => table::print(&single(one)),
        (Format::Table, all, _) => rows(all),
    }
}

/// The advice for one tenant, in words.
fn single(advice: &Advice) -> String {
    let mut lines = vec![format!("{}  {}", advice.tenant, advice.rests_on())];
    lines.extend(advice.told().into_iter().map(|text| format!("  {text}")));
    if !advice.enough {
        lines.push("  not enough evidence to act on it:".into());
        lines.extend(advice.missing.iter().map(|text| format!("    {text}")));
    }
    lines.iter().map(|line| table::plain(line) + "\n").collect()
}

fn rows(all: &[Advice]) -> Result<(), Failure> {
    let amount = |memory: Option<Memory>| memory.map_or_else(|| "?".to_owned(), |m| m.to_string());
    let rows = all.iter().map(|one| {
        let request = one.request.as_ref().map(|request| request.value());
        let children = one.max_children.map_or_else(|| "?".to_owned(), |n| n.to_string());
        vec![
            one.tenant.to_string(),
            amount(one.base),
            amount(request),
            amount(one.peak),
            one.limit_now.map_or_else(|| "none".to_owned(), |m| m.to_string()),
            amount(one.limit),
            one.max_children_now.value.to_string(),
            children,
            if one.enough { "enough".to_owned() } else { "not enough".to_owned() },
            one.rests_on(),
        ]
    });
    let heads = [
        "TENANT",
        ">BASE",
        ">REQUEST",
        ">PEAK",
        ">LIMIT",
        ">ADVISED",
        ">CHILDREN",
        ">THAT FIT",
        "EVIDENCE",
        "RESTS ON",
    ];
    table::print(&table::table(&heads, &rows.collect::<Vec<_>>()))
}

/// Measurements as lines of text.
fn read(text: &str) -> Result<Vec<Use>, String> {
    let mut uses = Vec::new();
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty() && !line.starts_with('#'));
    for (line, number) in lines {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let wrong = |what: &str| format!("line {number}: {what}");
        let (at, used, active) = match fields.as_slice() {
            [at, used] => (*at, *used, ""),
            [at, used, active] => (*at, *used, *active),
            _ => return Err(wrong("TIME,MEMORY,REQUESTS is wanted")),
        };
        let Some(time) = moment(at) else {
            // The first line may name the columns.
            if uses.is_empty() && number == 1 {
                continue;
            }
            return Err(wrong(&format!("`{at}` is no time such as 2026-11-29T03:00:00Z or 1764385200")));
        };
        let used: Memory = used.parse().map_err(|e| wrong(&format!("{e}")))?;
        let active = match active {
            "" => None,
            text => Some(
                text.parse::<f64>()
                    .ok()
                    .filter(|n| n.is_finite() && *n >= 0.0)
                    .ok_or_else(|| wrong(&format!("`{text}` is no number of requests")))?,
            ),
        };
        uses.push(Use { at: time, used, active });
    }
    if uses.is_empty() {
        return Err("there is no measurement in it".into());
    }
    uses.sort_by_key(|one| one.at);
    Ok(uses)
}

fn moment(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| {
        let seconds: f64 = text.parse().ok()?;
        Timestamp::from_second(seconds as i64).ok().filter(|_| seconds >= 0.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_read_and_what_is_none_is_named_by_its_line() {
        let text = "time,used,active\n2026-11-29T03:00:00Z,412Mi,3\n# noon\n1764385200,100000000\n";
        let uses = read(text).expect("measurements");
        assert_eq!(uses.len(), 2);
        assert!(uses.is_sorted_by_key(|one| one.at));
        assert_eq!(uses.iter().filter_map(|one| one.active).collect::<Vec<_>>(), [3.0]);
        for (text, why) in [
            ("", "there is no measurement in it"),
            ("time,used\n", "there is no measurement in it"),
            ("2026-11-29T03:00:00Z\n", "line 1: TIME,MEMORY,REQUESTS is wanted"),
            ("a,b\nyesterday,1Mi", "line 2: `yesterday` is no time such as"),
            ("1764385200,much", "line 1: `much` is not a quantity such as"),
            ("1764385200,1Mi,-1", "line 1: `-1` is no number of requests"),
            ("1764385200,1Mi,NaN", "line 1: `NaN` is no number of requests"),
        ] {
            let found = read(text).expect_err(text);
            assert!(found.starts_with(why), "{text:?}: {found}");
        }
    }
}
