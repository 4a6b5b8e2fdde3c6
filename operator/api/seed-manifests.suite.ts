/** Manifests that people wrote for Flink's operator, with only group, kind, image and artifact changed. */

/** A production job of a blog: replicas without slots, a secret in the environment, a volume. */
export const CLICK_AGGREGATION = `
apiVersion: tailrace.dev/v1beta1
kind: StreamDeployment
metadata:
  name: click-aggregation-job
  namespace: flink-prod
spec:
  image: my-registry/tailrace-click-aggregation:0.1.0-v2.3.1
  flinkVersion: v1_20
  flinkConfiguration:
    # Checkpointing
    execution.checkpointing.interval: "60000"
    execution.checkpointing.mode: EXACTLY_ONCE
    state.backend: rocksdb
    state.backend.incremental: "true"
    state.checkpoints.dir: s3://my-bucket/flink-checkpoints
    state.savepoints.dir: s3://my-bucket/flink-savepoints
    # Restart strategy
    restart-strategy: exponential-delay
    restart-strategy.exponential-delay.initial-backoff: 1s
    restart-strategy.exponential-delay.max-backoff: 5min
    restart-strategy.exponential-delay.reset-backoff-threshold: 10min
    # Web UI and metrics
    metrics.reporters: prometheus
    metrics.reporter.prometheus.class: org.apache.flink.metrics.prometheus.PrometheusReporter
    metrics.reporter.prometheus.port: "9249"
    # Network and buffer tuning
    taskmanager.network.memory.fraction: "0.2"
    taskmanager.memory.managed.fraction: "0.4"
  serviceAccount: flink-service-account
  podTemplate:
    spec:
      containers:
        - name: flink-main-container
          env:
            - name: KAFKA_BOOTSTRAP_SERVERS
              valueFrom:
                secretKeyRef:
                  name: kafka-credentials
                  key: bootstrap-servers
          resources: {} # overridden per component below
          volumeMounts:
            - name: flink-config-vol
              mountPath: /opt/flink/conf
      volumes:
        - name: flink-config-vol
          configMap:
            name: flink-job-config
  jobManager:
    resource:
      memory: "2048m"
      cpu: 0.5
    replicas: 1 # set to 3 + ha.mode=kubernetes for HA
  taskManager:
    resource:
      memory: "4096m"
      cpu: 2.0
    replicas: 4 # 4 TMs * 2 slots = 8 total parallelism
  job:
    jarURI: local:///opt/tailrace/usrlib/click-aggregation.js
    entryClass: com.datasops.ClickAggregationJob
    args: ["--env", "production", "--parallelism", "8"]
    parallelism: 8
    upgradeMode: savepoint # take savepoint before replacing deployment
    savepointTriggerNonce: 0 # increment to trigger manual savepoint
`

/** Another, with slots, keys of high availability and the cluster's id. */
export const FRAUD_DETECTION = `
apiVersion: tailrace.dev/v1beta1
kind: StreamDeployment
metadata:
  name: fraud-detection-job
  namespace: flink-jobs
spec:
  flinkVersion: v1_19
  image: my-registry/fraud-detection-tailrace:1.0.0
  flinkConfiguration:
    taskmanager.numberOfTaskSlots: "4"
    state.backend: rocksdb
    state.backend.incremental: "true"
    state.checkpoints.dir: s3://my-flink-bucket/checkpoints/
    state.savepoints.dir: s3://my-flink-bucket/savepoints/
    execution.checkpointing.interval: "60000"
    execution.checkpointing.mode: EXACTLY_ONCE
    high-availability: kubernetes
    high-availability.storageDir: s3://my-flink-bucket/ha/
    kubernetes.cluster-id: fraud-detection-job
  serviceAccount: flink
  jobManager:
    resource:
      memory: "2048m"
      cpu: 1
    replicas: 1
  taskManager:
    resource:
      memory: "4096m"
      cpu: 2
    replicas: 3
  job:
    jarURI: local:///opt/tailrace/usrlib/fraud-detection.js
    entryClass: com.example.FraudDetectionJob
    args: ["--kafka.bootstrap", "kafka:9092"]
    parallelism: 12
    upgradeMode: savepoint
    savepointTriggerNonce: 0
`

/** More keys that the second one's page has for high availability and tuning. */
export const MORE_KEYS = `
ha.type: kubernetes
kubernetes.cluster-id: fraud-detection-ha
high-availability.storageDir: s3://my-flink-bucket/ha/
kubernetes.leader-election.enabled: "true"
scheduler-mode: reactive
state.backend: rocksdb
state.backend.incremental: "true"
state.backend.rocksdb.memory.managed: "true"
state.backend.rocksdb.memory.fixed-per-slot: "512mb"
state.backend.local-recovery: "true"
execution.checkpointing.interval: "60000"
execution.checkpointing.timeout: "120000"
execution.checkpointing.max-concurrent-checkpoints: "1"
execution.checkpointing.min-pause: "30000"
`
