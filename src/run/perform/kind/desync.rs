//! `wsrep_desync` of a member.

use futures::{FutureExt, future::BoxFuture};

use super::{
    Act, Context, Performed,
    servers::{endpoint, performed},
};
use crate::{
    plan::Desync,
    run::{
        evidence::Mark,
        perform::{Failure, Writer},
    },
    wire::DatabaseEndpoint,
};

impl Act for Desync {
    fn rehearse<'a>(
        &'a self,
        writer: &'a Writer,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        writer.may_desync(self.member.as_str()).map(|answer| answer.map(|()| None)).boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let Self { member, from, to } = self;
            let written = writer.desync(member.as_str(), *from, *to, || (cx.fence)()).await?;
            Ok(performed(written, &format!("wsrep_desync is {}", if *to { "ON" } else { "OFF" })))
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        endpoint(writer, DatabaseEndpoint::Member(self.member.to_string())).boxed()
    }
}
