//! Waits write nothing: only what they wait for is asked for its own word.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed, create_job, replicas::workload, servers::endpoint};
use crate::{
    plan::{Desynced, Gone, Holds, JobEnded, PodReady, Replaced, Resized, RolledOut, Serves, Settle},
    run::{
        evidence::Mark,
        perform::{Failure, Writer},
    },
    wire::DatabaseEndpoint,
};

/// A wait: what `look` asks, and nothing else.
macro_rules! wait {
    ($kind:ident, |$writer:ident, $it:ident| $look:expr) => {
        impl Act for $kind {
            fn rehearse<'a>(
                &'a self,
                _: &'a Writer,
                _: &'a str,
            ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
                std::future::ready(Ok(None)).boxed()
            }

            fn perform<'a>(
                &'a self,
                _: &'a Writer,
                _: &'a Context<'a>,
            ) -> BoxFuture<'a, Result<Performed, Failure>> {
                let text = String::new();
                std::future::ready(Ok(Performed { wrote: false, text, mark: None, kept: false })).boxed()
            }

            fn look<'a>(&'a self, $writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
                let $it = self;
                $look.boxed()
            }
        }
    };
}

wait!(Gone, |_writer, _it| std::future::ready(Ok(None)));
wait!(JobEnded, |writer, it| create_job::look(writer, &it.job));
wait!(PodReady, |_writer, _it| std::future::ready(Ok(None)));
wait!(Resized, |_writer, _it| std::future::ready(Ok(None)));
wait!(Replaced, |writer, it| workload(writer, &it.workload));
wait!(RolledOut, |writer, it| workload(writer, &it.workload));
wait!(Settle, |writer, it| workload(writer, &it.workload));
wait!(Holds, |writer, it| endpoint(writer, DatabaseEndpoint::Proxy(it.proxy.to_string())));
wait!(Serves, |writer, it| endpoint(writer, DatabaseEndpoint::Proxy(it.proxy.to_string())));
wait!(Desynced, |writer, it| endpoint(writer, DatabaseEndpoint::Member(it.member.to_string())));
