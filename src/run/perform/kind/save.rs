//! A proxy's servers as they run are written to its disk.

use futures::{FutureExt, future::BoxFuture};

use super::{
    Act, Context, Performed,
    servers::{endpoint, performed},
};
use crate::{
    plan::Save,
    run::{
        evidence::Mark,
        perform::{Failure, Writer},
    },
    wire::DatabaseEndpoint,
};

impl Act for Save {
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
            let written = writer.save(self.proxy.as_str(), || (cx.fence)()).await?;
            Ok(performed(written, "the disk has what runs"))
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        endpoint(writer, DatabaseEndpoint::Proxy(self.proxy.to_string())).boxed()
    }
}
