# Where the lab keeps what it makes: read by build.sh and cluster.sh. Variables only.
KUBERNETES=$(awk '$1 == "k8s.io/kubernetes" { print $2 }' "$here/hyperkube/go.mod")
CACHE=${TAILRACE_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/tailrace-lab}/kubernetes-$KUBERNETES
BIN=$CACHE/bin
IMAGES=$CACHE/images # imported at every start of the cluster
