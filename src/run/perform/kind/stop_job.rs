//! A Job that has not ended is deleted, and its pod with it.

use futures::{FutureExt, future::BoxFuture};
use serde_json::Value;

use super::{
    Act, Context, Performed,
    create_job::{job_path, job_rights, look},
};
use crate::{
    plan::StopJob,
    run::{
        evidence::Mark,
        perform::{Failure, Right, Writer, objects::Next},
    },
};

/// It has ended, by its own conditions and with no pod left that is being deleted.
fn has_ended(job: &Value) -> bool {
    let conditions = job["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    let ended =
        conditions.any(|c| (c["type"] == "Complete" || c["type"] == "Failed") && c["status"] == "True");
    ended && job["status"]["terminating"].as_u64().unwrap_or(0) == 0
}

impl StopJob {
    /// A pod of the Job that still runs, by name.
    async fn runs_on(&self, writer: &Writer) -> Result<Option<String>, Failure> {
        let path = format!(
            "/api/v1/namespaces/{}/pods?labelSelector=job-name%3D{}",
            self.job.namespace, self.job.name
        );
        let list: Option<Value> = writer.find(&path).await?;
        let runs = |pod: &&Value| pod["status"]["phase"] != "Succeeded" && pod["status"]["phase"] != "Failed";
        let pods = list.as_ref().and_then(|list| list["items"].as_array());
        let found = pods.into_iter().flatten().find(runs);
        Ok(found.map(|pod| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()))
    }
}

impl Act for StopJob {
    fn rights(&self) -> Vec<Right> {
        let pods = Right {
            verb: "list",
            group: "",
            resource: "pods".into(),
            namespace: self.job.namespace.to_string(),
        };
        [job_rights(&self.job, &["get", "delete"]), vec![pods]].concat()
    }

    fn may(&self) -> &'static str {
        "delete jobs"
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
                let Some(found) = found else { return Ok(Next::Stands(format!("job {name} is gone"))) };
                Ok(match (has_ended(&found.object), found.is_leaving()) {
                    (true, _) => Next::Stands("it has ended: it is kept for its log".into()),
                    (false, true) => Next::Stands(format!("job {name} is being deleted")),
                    (false, false) => Next::Delete(format!("job {name} is deleted")),
                })
            });
            let (wrote, text, left) = written.await?;
            if left.as_ref().is_some_and(has_ended) {
                return Ok(Performed { wrote, text, mark: None, kept: true });
            }
            // What comes next must not begin beside a statement that still runs.
            match self.runs_on(writer).await? {
                Some(pod) => Err(Failure::Blocked(format!("{text}; its pod {pod} still runs"))),
                None => Ok(Performed { wrote, text, mark: None, kept: false }),
            }
        }
        .boxed()
    }

    fn look<'a>(&'a self, writer: &'a Writer) -> BoxFuture<'a, Result<Option<Mark>, Failure>> {
        look(writer, &self.job).boxed()
    }
}
