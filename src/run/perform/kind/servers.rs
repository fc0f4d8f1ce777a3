//! The rows of one backend in a proxy's servers.

use futures::{FutureExt, future::BoxFuture};

use super::{Act, Context, Performed};
use crate::{
    plan::Servers,
    run::{
        evidence::Mark,
        perform::{Failure, Writer, Written},
    },
    wire::DatabaseEndpoint,
};

impl Act for Servers {
    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        writer.may_edit(self.proxy.as_str()).map(|answer| answer.map(|()| None)).boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let Self { proxy, address, from, to } = self;
            let written = writer.servers(proxy.as_str(), address, from, to, || (cx.fence)()).await?;
            let text = match () {
                () if from == to => "memory is as it runs",
                () if to.is_empty() => "it is gone from the runtime",
                () => "the runtime has it so",
            };
            Ok(performed(written, text))
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        endpoint(writer, DatabaseEndpoint::Proxy(self.proxy.to_string())).boxed()
    }
}

/// What became of a write at an endpoint, in words.
pub(super) fn performed(written: Written, text: &str) -> Performed {
    let text = if written.wrote { text } else { "it was so already" };
    Performed {
        wrote: written.wrote,
        text: text.into(),
        mark: Some(Mark::Endpoint(written.mark)),
        kept: false,
    }
}

/// An endpoint by its own word.
pub(super) async fn endpoint(writer: &Writer, endpoint: DatabaseEndpoint) -> Result<Option<Mark>, Failure> {
    writer.look(&endpoint).await.map(|moment| Some(Mark::Endpoint(moment)))
}
