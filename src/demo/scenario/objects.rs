//! What belongs to a tenant, as somebody applied it.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::value::{map, set};
use crate::world::World;

/// The application's image, without its tag.
pub(super) const APP_IMAGE: &str = "registry.example/app";

/// A tenant's Deployment as somebody applied it.
pub(super) fn deployment(space: &str, tenant: &str, replicas: i64, tag: &str) -> Value {
    let labels = json!({"app": tenant, "app.kubernetes.io/part-of": "saas", "tenant": space});
    let probe = |path: &str, port: i64| {
        json!({"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, "initialDelaySeconds": 1, "timeoutSeconds": 1,
               "periodSeconds": 5, "successThreshold": 1, "failureThreshold": 3})
    };
    let shared = json!([{"name": "app", "mountPath": "/var/www/app"}]);
    let containers = json!([
        {"name": "nginx", "image": "registry.example/nginx:1.27",
         "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
         "resources": {"limits": {"memory": "128Mi"}, "requests": {"cpu": "50m", "memory": "64Mi"}},
         "volumeMounts": shared, "readinessProbe": probe("/healthz", 8080),
         "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent"},
        {"name": "php-fpm", "image": format!("{APP_IMAGE}:{tag}"),
         "ports": [{"name": "fpm", "containerPort": 9000, "protocol": "TCP"}],
         "envFrom": [{"configMapRef": {"name": format!("{tenant}-env")}}],
         "resources": {"limits": {"memory": "640Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
         "volumeMounts": [{"name": "app", "mountPath": "/var/www/app"},
                          {"name": "php", "mountPath": "/usr/local/etc/php-fpm.d"},
                          {"name": "jwt", "mountPath": "/etc/jwt", "readOnly": true}],
         "readinessProbe": probe("/ping", 9000),
         "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File", "imagePullPolicy": "IfNotPresent"},
    ]);
    json!({
        "metadata": {"name": tenant, "namespace": space, "labels": labels},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": tenant}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "volumes": [{"name": "app", "emptyDir": {}},
                                {"name": "php", "configMap": {"name": format!("{tenant}-php"), "defaultMode": 420}},
                                {"name": "jwt", "secret": {"secretName": format!("{tenant}-jwt"), "defaultMode": 420}}],
                    "containers": containers, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30,
                    "dnsPolicy": "ClusterFirst", "securityContext": {}, "imagePullSecrets": [{"name": "registry"}],
                    "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 100, "podAffinityTerm": {"labelSelector": {"matchLabels": {"app": tenant}},
                                                            "topologyKey": "kubernetes.io/hostname"}}]}},
                    "schedulerName": "default-scheduler",
                },
            },
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
        },
    })
}

/// Marks an object as its GitOps controller does.
pub(super) fn owned_by(object: &mut Value, tenant: &str, manager: &str) {
    type Marks = Vec<(&'static str, String)>;
    let (labels, annotations): (Marks, Marks) = match manager {
        "argocd-controller" => (
            vec![("app.kubernetes.io/instance", tenant.to_owned())],
            vec![("argocd.argoproj.io/tracking-id", format!("{tenant}:apps/Deployment:{tenant}/{tenant}"))],
        ),
        "kustomize-controller" => (
            vec![
                ("kustomize.toolkit.fluxcd.io/name", "tenants".to_owned()),
                ("kustomize.toolkit.fluxcd.io/namespace", "flux-system".to_owned()),
            ],
            vec![],
        ),
        _ => (
            vec![("app.kubernetes.io/managed-by", "Helm".to_owned())],
            vec![
                ("meta.helm.sh/release-name", tenant.to_owned()),
                ("meta.helm.sh/release-namespace", tenant.to_owned()),
            ],
        ),
    };
    for (field, entries) in [("labels", labels), ("annotations", annotations)] {
        for (key, value) in entries {
            map(object, &["metadata", field]).insert(key.to_owned(), value.into());
        }
    }
}

/// Its ConfigMaps, Secrets, Service and Ingress.
pub(super) fn furnish(world: &mut World, number: usize, tenant: &str, manager: &str) {
    let labels = json!({"app": tenant, "app.kubernetes.io/part-of": "saas", "tenant": tenant});
    let mut put = |kind, called: &str, mut object: Value| {
        set(&mut object, &["metadata"], json!({"name": called, "namespace": tenant, "labels": labels}));
        world.store.insert_by(kind, object, manager);
    };
    put(
        Kind::CONFIG_MAP,
        &format!("{tenant}-env"),
        json!({"data": {"APP_ENV": "prod", "DATABASE_HOST": "service-proxysql.database.svc", "DATABASE_PORT": "3306",
                        "DATABASE_NAME": tenant, "TENANT": tenant}}),
    );
    put(
        Kind::CONFIG_MAP,
        &format!("{tenant}-php"),
        json!({"data": {"www.conf": "[www]\nlisten = 9000\npm = dynamic\npm.max_children = 8\npm.start_servers = 2\n\
                pm.min_spare_servers = 1\npm.max_spare_servers = 3\npm.max_requests = 500\npm.status_path = /fpm-status\n\
                ping.path = /ping\n"}}),
    );
    put(
        Kind::CONFIG_MAP,
        &format!("{tenant}-nginx"),
        json!({"data": {"default.conf": "server {\n  listen 8080;\n  root /var/www/app/public;\n  location / {\n    \
                try_files $uri /index.php$is_args$args;\n  }\n  location ~ \\.php$ {\n    fastcgi_pass 127.0.0.1:9000;\n  }\n}\n"}}),
    );
    put(
        Kind::SECRET,
        &format!("{tenant}-jwt"),
        json!({"type": "Opaque", "data": {"private.pem": "bm90IGEga2V5", "public.pem": "bm90IGEga2V5"}}),
    );
    put(
        Kind::SECRET,
        "registry",
        json!({"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": "eyJhdXRocyI6e319"}}),
    );
    let address = format!("10.{}.{}.{}", 97 + number / 62_500, (number / 250) % 250, 2 + number % 250);
    put(
        Kind::SERVICE,
        tenant,
        json!({"spec": {"clusterIP": address, "clusterIPs": [address], "type": "ClusterIP", "sessionAffinity": "None",
                        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}],
                        "selector": {"app": tenant}, "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
                        "internalTrafficPolicy": "Cluster"},
               "status": {"loadBalancer": {}}}),
    );
    put(
        Kind::INGRESS,
        tenant,
        json!({"spec": {"ingressClassName": "nginx",
                        "rules": [{"host": format!("{tenant}.saas.example"), "http": {"paths": [
                            {"path": "/", "pathType": "Prefix",
                             "backend": {"service": {"name": tenant, "port": {"name": "http"}}}}]}}],
                        "tls": [{"hosts": [format!("{tenant}.saas.example")], "secretName": format!("{tenant}-tls")}]},
               "status": {"loadBalancer": {"ingress": [{"ip": "192.168.10.9"}]}}}),
    );
}

/// Its disruption budget; most have one.
pub(super) fn budget(world: &mut World, number: usize, tenant: &str, replicas: i64) {
    let mut spec = json!({"selector": {"matchLabels": {"app": tenant}}});
    match number % 10 {
        3 => return,
        // A budget that allows no eviction at all: it blocks every drain.
        7 => spec["minAvailable"] = replicas.into(),
        9 => spec["maxUnavailable"] = 1.into(),
        _ => spec["minAvailable"] = 1.into(),
    }
    world.store.insert_by(
        Kind::DISRUPTION_BUDGET,
        json!({"metadata": {"name": tenant, "namespace": tenant}, "spec": spec}),
        "helm",
    );
}

/// Its autoscaler, by CPU.
pub(super) fn autoscaler(world: &mut World, tenant: &str, replicas: i64) {
    let object = json!({
        "metadata": {"name": tenant, "namespace": tenant},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": tenant, "apiVersion": "apps/v1"},
                 "minReplicas": 2, "maxReplicas": replicas + 3,
                 "metrics": [{"type": "Resource", "resource": {"name": "cpu",
                              "target": {"type": "Utilization", "averageUtilization": 80}}}]},
        "status": {"currentReplicas": replicas, "desiredReplicas": replicas, "currentMetrics": null},
    });
    world.store.insert_by(Kind::AUTOSCALER, object, "helm");
}
