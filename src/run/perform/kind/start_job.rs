//! A Job that waits is started.

use futures::{FutureExt, future::BoxFuture};
use serde_json::json;

use super::{
    Act, Context, Performed,
    create_job::{job_path, job_rights, look},
};
use crate::{
    plan::StartJob,
    run::{
        evidence::Mark,
        perform::{Failure, Right, Writer, objects::Next, version_of},
    },
};

impl Act for StartJob {
    fn rights(&self) -> Vec<Right> {
        job_rights(&self.job, &["get", "patch"])
    }

    fn may(&self) -> &'static str {
        "change jobs"
    }

    fn rehearse<'a>(&'a self, _: &'a Writer, _: &'a str) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        // Before the run there is no such Job.
        std::future::ready(Ok(None)).boxed()
    }

    fn perform<'a>(
        &'a self,
        writer: &'a Writer,
        cx: &'a Context<'a>,
    ) -> BoxFuture<'a, Result<Performed, Failure>> {
        async {
            let name = &self.job.name;
            let path = job_path(&self.job);
            let written = writer.change(&path, false, cx.fence, |found| {
                let Some(found) = found else { return Err(Failure::Drift(format!("job {name} is gone"))) };
                if found.is_leaving() {
                    return Err(Failure::Drift(format!("job {name} is being deleted")));
                }
                Ok(match found.object["spec"]["suspend"] == true {
                    true => Next::Merge(json!({ "spec": { "suspend": false } }), "it is started".into()),
                    false => Next::Stands("it was started already".into()),
                })
            });
            let (wrote, text, object) = written.await?;
            let mark = object.map(|job| Mark::Job { version: version_of(&job), at: writer.clock.now() });
            Ok(Performed { wrote, text, mark, kept: false })
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        look(writer, &self.job).boxed()
    }
}
