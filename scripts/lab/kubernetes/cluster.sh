#!/bin/bash
# A real Kubernetes of one node, in namespaces of this machine that are its own: nothing outside of them changes. Wants root on Linux with cgroup v1, and build.sh before.
#
#   up                    starts it, and returns when the node and its DNS are ready; does nothing when it runs
#   down [--keep]         ends every process of it, and removes what it stored; --keep: the next `up` goes on with it
#   net COMMAND...        runs a command with the cluster's network and names; files and processes are the machine's. Programs that listen
#                         on 10.200.0.2 there can be reached from pods
#   kubectl, helm ARGS... with all rights; HELM=helm3 is the older one
#   load-image FILE...    makes images of OCI archives known to the node
#   component start|kill NAME   of etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet, kube-proxy
#   status                which of them run
#
# Its state is in TAILRACE_KUBERNETES, /var/tmp/tailrace-kubernetes unless set; two with different ones do not meet.
set -Eeu
trap 'echo "cluster.sh: line $LINENO ended with $?: $BASH_COMMAND" >&2' ERR
here=$(dirname "$(readlink -f "$0")")
. "$here/places.sh"
STATE=${TAILRACE_KUBERNETES:-/var/tmp/tailrace-kubernetes}
KEYS=$STATE/keys RUN=$STATE/run LOG=$STATE/log
export KUBECONFIG=$STATE/admin.conf
NAME=node-1 ADDRESS=10.200.0.2 PODS=10.244.0.0/24 SERVICES=10.96.0.0/16 API_SERVICE=10.96.0.1 DNS=10.96.0.10
COMPONENTS="etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy"

# --- the node: namespaces and cgroups ---

CONTROLLERS="cpuset cpu cpuacct blkio memory devices freezer pids systemd"
FOLDERS="var/lib/containerd var/lib/kubelet var/lib/cni var/lib/etcd var/log/pods var/log/containers etc/cni/net.d etc/containerd"
group=tailrace-$(echo "$STATE" | cksum | cut -d' ' -f1)

cgroup_of() { grep -E "^[0-9]+:(name=)?$1:" "/proc/$2/cgroup" | cut -d: -f3; }
runs() { [ -s "$STATE/pid" ] && [ "$(readlink "/proc/$(cat "$STATE/pid")/ns/pid" 2>/dev/null)" = "$(cat "$STATE/pid-namespace")" ]; }
must_run() { runs || { echo "Cannot ${1:-go on}: the cluster does not run; start it with: $0 up" >&2; exit 1; }; }
remove_cgroups() {
  local try folder
  [ -s "$STATE/cgroups" ] || return 0
  for try in $(seq 50); do # busy for a moment after a kill
    while read -r folder; do [ ! -d "$folder" ] || find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || true; done <"$STATE/cgroups"
    while read -r folder; do [ ! -d "$folder" ] || continue 2; done <"$STATE/cgroups"
    rm -f "$STATE/cgroups"
    return 0
  done
}
start_node() {
  local controller folder outer try
  mkdir -p "$STATE" "$LOG"
  remove_cgroups
  rm -rf "$RUN" "$STATE/made" "$STATE/pid"
  mkdir -p "$RUN"
  (
    for controller in $CONTROLLERS; do
      folder=$(cgroup_of "$controller" self)
      folder=/sys/fs/cgroup/$controller${folder%/}/$group
      mkdir -p "$folder"
      if [ "$controller" = cpuset ]; then for file in cpus mems; do cat "$(dirname "$folder")/cpuset.$file" >"$folder/cpuset.$file"; done; fi
      echo "$folder" >>"$STATE/cgroups"
      echo "$BASHPID" >"$folder/cgroup.procs"
    done
    exec setsid unshare --mount --net --pid --ipc --uts --cgroup --fork --kill-child --mount-proc "$0" _inside >"$LOG/node.log" 2>&1 </dev/null
  ) &
  outer=$!
  for try in $(seq 100); do [ ! -e "$STATE/made" ] || break; sleep .05; done
  [ -e "$STATE/made" ] || { cat "$LOG/node.log" >&2; exit 1; }
  tr -d ' ' <"/proc/$outer/task/$outer/children" >"$STATE/pid"
  readlink "/proc/$(cat "$STATE/pid")/ns/pid" >"$STATE/pid-namespace"
}
inside() { # the first process of the node
  local controller named folder pair
  mount --make-rprivate /
  mount --make-rshared /
  hostname $NAME
  umount -R /sys
  mount -t sysfs sysfs /sys
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for controller in $CONTROLLERS; do
    named=$controller
    [ "$controller" != systemd ] || named=none,name=systemd
    mkdir "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$named" cgroup "/sys/fs/cgroup/$controller"
  done
  mount -t tmpfs tmpfs /run
  mkdir /run/netns /run/lock
  for folder in $FOLDERS; do
    mkdir -p "$STATE/$folder" "/$folder"
    mount --bind "$STATE/$folder" "/$folder"
  done
  for pair in vm/overcommit_memory=1 kernel/panic=10 kernel/panic_on_oops=1; do # what the kubelet wants to read; the machine's stay
    echo "${pair#*=}" >"$STATE/${pair//[\/=]/_}"
    mount --bind "$STATE/${pair//[\/=]/_}" "/proc/sys/${pair%=*}"
  done
  ip link set lo up
  ip link add nodes type bridge
  ip addr add $ADDRESS/24 dev nodes
  ip link set nodes up
  ip route add default via 10.200.0.1
  sysctl -qw net.ipv4.ip_forward=1
  sysctl -qw net.bridge.bridge-nf-call-iptables=1 || true
  iptables -t nat -A POSTROUTING -s $PODS ! -d $PODS -j MASQUERADE
  touch "$STATE/made"
  trap : CHLD # bash buries what lost its parent; a plain sleep would not
  while :; do
    sleep 3600 &
    wait $!
  done
}
# Runs a command in all of the node's namespaces and cgroups.
enter() {
  local pid controller
  pid=$(cat "$STATE/pid")
  for controller in $CONTROLLERS; do echo $BASHPID >"/sys/fs/cgroup/$controller$(cgroup_of "$controller" "$pid")/cgroup.procs"; done
  exec nsenter -t "$pid" -a --wd=/ "$@"
}
in_node() { (enter "$@"); }
in_network() { nsenter --net="/proc/$(cat "$STATE/pid")/ns/net" "$@"; }
kube() { in_network "$BIN/kubectl" "$@"; }

# --- keys: an authority, a certificate for each part, and a file for each client ---

key() { [ -s "$KEYS/$1.key" ] || openssl ecparam -name prime256v1 -genkey -noout -out "$KEYS/$1.key"; }
certificate() { # FILE NAME [ORGANIZATION] [HOSTS]
  [ ! -s "$KEYS/$1.crt" ] || return 0
  key "$1"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth,clientAuth\n%s\n' "${4:+subjectAltName=$4}" >"$KEYS/$1.ext"
  openssl req -new -key "$KEYS/$1.key" -subj "/CN=$2${3:+/O=$3}" | openssl x509 -req -CA "$KEYS/ca.crt" -CAkey "$KEYS/ca.key" \
    -set_serial "0x$(openssl rand -hex 8)" -days 3650 -sha256 -extfile "$KEYS/$1.ext" -out "$KEYS/$1.crt" 2>/dev/null
}
client() { # CERTIFICATE: its kubeconfig
  cat >"$STATE/$1.conf" <<Y
{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
 "clusters": [{"name": "lab", "cluster": {"server": "https://$ADDRESS:6443", "certificate-authority": "$KEYS/ca.crt"}}],
 "users": [{"name": "$1", "user": {"client-certificate": "$KEYS/$1.crt", "client-key": "$KEYS/$1.key"}}],
 "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "$1"}}]}
Y
}
make_keys() {
  local name service=kubernetes.default.svc
  mkdir -p "$KEYS"
  [ -s "$KEYS/ca.crt" ] || { key ca; openssl req -x509 -new -key "$KEYS/ca.key" -days 3650 -sha256 -subj /CN=lab -out "$KEYS/ca.crt"; }
  key accounts
  [ -s "$KEYS/accounts.pub" ] || openssl ec -in "$KEYS/accounts.key" -pubout -out "$KEYS/accounts.pub" 2>/dev/null
  certificate apiserver kube-apiserver "" "IP:$ADDRESS,IP:$API_SERVICE,IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default,DNS:$service,DNS:$service.cluster.local"
  certificate apiserver-kubelet kube-apiserver-kubelet-client system:masters
  certificate front-proxy front-proxy-client
  certificate kubelet system:node:$NAME system:nodes "IP:$ADDRESS,DNS:$NAME"
  certificate admin lab-admin system:masters
  for name in kube-controller-manager kube-scheduler kube-proxy; do certificate $name system:$name; done
  for name in admin kubelet kube-controller-manager kube-scheduler kube-proxy; do client $name; done
}

# --- settings of the parts ---

make_settings() {
  mkdir -p "$STATE/etc/containerd" "$STATE/etc/cni/net.d"
  : >"$STATE/resolv.empty"
  printf 'search default.svc.cluster.local svc.cluster.local cluster.local\nnameserver %s\noptions ndots:5\n' $DNS >"$STATE/resolv.cluster"
  cat >"$STATE/etc/containerd/config.toml" <<'Y'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
Y
  cat >"$STATE/etc/cni/net.d/10-lab.conflist" <<Y
{"cniVersion": "0.4.0", "name": "lab", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "$PODS"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
 {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  # No eviction for want of disk, and no image removed: the disk is shared with all else, and there is no registry to pull from again.
  cat >"$STATE/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $KEYS/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $KEYS/kubelet.crt
tlsPrivateKeyFile: $KEYS/kubelet.key
cgroupDriver: cgroupfs
failCgroupV1: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
clusterDNS: [$DNS]
clusterDomain: cluster.local
resolvConf: $STATE/resolv.empty
volumePluginDir: /var/lib/kubelet/volumeplugins
evictionHard: {memory.available: 100Mi}
imageGCHighThresholdPercent: 100
serializeImagePulls: false
Y
  cat >"$STATE/kube-proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: iptables
clusterCIDR: $PODS
clientConnection: {kubeconfig: $STATE/kube-proxy.conf}
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 0.2s}
Y
}

# --- the parts ---

alive() { [ -s "$RUN/$1" ] && runs && in_node kill -0 "$(cat "$RUN/$1")" 2>/dev/null; }
launch() { # NAME COMMAND...: its pid, as the node counts, is kept
  local name=$1
  shift
  in_node bash -c 'pid=$1 log=$2; shift 2; setsid "$@" >>"$log" 2>&1 </dev/null & echo $! >"$pid"' _ "$RUN/$name" "$LOG/$name.log" "$@"
}
start() {
  ! alive "$1" || return 0
  case $1 in
  containerd) launch "$1" containerd -c /etc/containerd/config.toml -l warn ;;
  etcd)
    launch "$1" "$BIN/etcd" --data-dir /var/lib/etcd/data --unsafe-no-fsync --log-level warn --logger zap --listen-peer-urls http://127.0.0.1:2380 \
      --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379
    ;;
  kube-apiserver)
    launch "$1" "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --advertise-address=$ADDRESS --secure-port=6443 \
      --service-cluster-ip-range=$SERVICES --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged \
      --client-ca-file="$KEYS/ca.crt" --tls-cert-file="$KEYS/apiserver.crt" --tls-private-key-file="$KEYS/apiserver.key" \
      --kubelet-client-certificate="$KEYS/apiserver-kubelet.crt" --kubelet-client-key="$KEYS/apiserver-kubelet.key" \
      --kubelet-certificate-authority="$KEYS/ca.crt" --kubelet-preferred-address-types=InternalIP \
      --service-account-issuer=https://kubernetes.default.svc.cluster.local --service-account-key-file="$KEYS/accounts.pub" \
      --service-account-signing-key-file="$KEYS/accounts.key" --requestheader-client-ca-file="$KEYS/ca.crt" \
      --requestheader-allowed-names=front-proxy-client --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
      --requestheader-extra-headers-prefix=X-Remote-Extra- --proxy-client-cert-file="$KEYS/front-proxy.crt" --proxy-client-key-file="$KEYS/front-proxy.key"
    ;;
  kube-controller-manager)
    launch "$1" "$BIN/kube-controller-manager" --kubeconfig="$STATE/kube-controller-manager.conf" --bind-address=127.0.0.1 --leader-elect=false \
      --use-service-account-credentials --service-account-private-key-file="$KEYS/accounts.key" --root-ca-file="$KEYS/ca.crt" \
      --cluster-signing-cert-file="$KEYS/ca.crt" --cluster-signing-key-file="$KEYS/ca.key" --service-cluster-ip-range=$SERVICES
    ;;
  kube-scheduler) launch "$1" "$BIN/kube-scheduler" --kubeconfig="$STATE/kube-scheduler.conf" --bind-address=127.0.0.1 --leader-elect=false ;;
  kubelet)
    launch "$1" "$BIN/kubelet" --config="$STATE/kubelet.yaml" --kubeconfig="$STATE/kubelet.conf" --hostname-override=$NAME --node-ip=$ADDRESS \
      --root-dir=/var/lib/kubelet
    ;;
  kube-proxy) launch "$1" "$BIN/kube-proxy" --config="$STATE/kube-proxy.yaml" --hostname-override=$NAME ;;
  *) echo "Cannot start $1: one of $COMPONENTS is wanted" >&2; exit 2 ;;
  esac
}

# --- what waits ---

wait_for() { # WHAT SECONDS COMMAND...
  local what=$1 tries=$(($2 * 10))
  shift 2
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ $tries -gt 0 ] || { echo "Cannot start the cluster: $what is not ready in time; logs are in $LOG" >&2; return 1; }
    sleep .1
  done
}
api_ready() { in_network curl -sf --cacert "$KEYS/ca.crt" --cert "$KEYS/admin.crt" --key "$KEYS/admin.key" "https://$ADDRESS:6443/readyz"; }
import() {
  local file
  wait_for containerd 20 in_node ctr version
  for file in "$@"; do in_node ctr -n k8s.io images import "$file" >>"$LOG/import.log" 2>&1 || { tail -3 "$LOG/import.log" >&2; return 1; }; done
}
import_new() { # what the node's disk does not have yet
  local file stamp
  mkdir -p "$STATE/imported"
  for file in "$IMAGES"/*.tar; do
    stamp=$(stat -c %s-%Y "$file")
    [ "$(cat "$STATE/imported/${file##*/}" 2>/dev/null)" != "$stamp" ] || continue
    import "$file"
    echo "$stamp" >"$STATE/imported/${file##*/}"
  done
}
heartbeat() { kube -n kube-node-lease get lease $NAME -o 'jsonpath={.spec.renewTime}' 2>/dev/null || true; }
beats() { local now; now=$(heartbeat); [ -n "$now" ] && [ "$now" != "$1" ]; }
names_resolve() {
  in_network node -e "const r = new (require('dns').promises.Resolver)({ timeout: 500, tries: 1 }); r.setServers(['$DNS'])
    r.resolve4('kubernetes.default.svc.cluster.local').then(() => process.exit(0), () => process.exit(1))"
}

up() {
  local old importing
  [ -x "$BIN/hyperkube" ] || { echo "Cannot start a cluster: its programs are not there; make them with $here/build.sh" >&2; exit 1; }
  [ -d /sys/fs/cgroup/memory ] || { echo 'Cannot start a cluster: this machine has no cgroup v1; use another cluster by KUBECONFIG' >&2; exit 1; }
  runs || start_node
  make_keys
  make_settings
  start etcd
  start kube-apiserver
  start containerd
  import_new &
  importing=$!
  wait_for kube-apiserver 90 api_ready
  start kube-controller-manager
  start kube-scheduler
  wait $importing
  sed "s/@DNS@/$DNS/" "$here/addons.yaml" | kube apply --server-side --force-conflicts -f - >/dev/null
  # What was stored may still say Ready: only a new heartbeat tells.
  old=$(heartbeat)
  if ! alive kubelet; then
    start kubelet
    wait_for 'the node' 60 kube get node $NAME
    wait_for 'a heartbeat of the node' 60 beats "$old"
  fi
  start kube-proxy
  kube wait --for=condition=Ready node/$NAME --timeout=90s >/dev/null
  wait_for 'the DNS' 90 names_resolve
}
down() {
  local pid try
  if runs; then
    pid=$(cat "$STATE/pid")
    kill -9 "$pid"
    for try in $(seq 100); do [ ! -d "/proc/$pid" ] || sleep .05; done
  fi
  remove_cgroups
  rm -rf "$STATE/pid" "$STATE/made" "$RUN"
  [ "${1:-}" = --keep ] || rm -rf "$STATE"
}

case ${1:-} in
up) up ;;
down) down "${2:-}" ;;
net)
  shift
  must_run "run $1"
  exec nsenter --net="/proc/$(cat "$STATE/pid")/ns/net" unshare --mount bash -c 'mount --bind "$0" "$(readlink -f /etc/resolv.conf)" && exec "$@"' \
    "$STATE/resolv.cluster" "$@"
  ;;
kubectl)
  shift
  must_run 'ask the cluster'
  exec nsenter --net="/proc/$(cat "$STATE/pid")/ns/net" "$BIN/kubectl" "$@"
  ;;
helm)
  shift
  must_run 'install'
  exec nsenter --net="/proc/$(cat "$STATE/pid")/ns/net" "$BIN/${HELM:-helm}" "$@"
  ;;
load-image)
  shift
  must_run 'load an image'
  import "$@"
  ;;
component)
  must_run "$2 $3"
  case $2 in
  start) start "$3" ;;
  kill) ! alive "$3" || in_node kill -9 "$(cat "$RUN/$3")" ;;
  *) exit 2 ;;
  esac
  ;;
status) for component in $COMPONENTS; do if alive "$component"; then echo "$component runs"; else echo "$component does not run"; fi; done ;;
_inside) inside ;;
*)
  sed -n 2,13p "$0" >&2
  exit 2
  ;;
esac
exit # A script that is edited while it runs would go on in the middle of a line.
