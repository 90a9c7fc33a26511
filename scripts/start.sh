#!/bin/sh
# Starts a node: brings what is missing (install.sh), then becomes the node, so that one SIGTERM reaches it once and its
# exit code is the caller's. Works from any folder; a relative --config starts at the folder the caller stands in.
set -u
self=$0
if [ -L "$self" ]; then self=$(readlink -f -- "$self"); fi
root=$(CDPATH='' cd -- "$(dirname -- "$self")/.." && pwd -P) || exit 1

case ${1-} in -h | --help)
  cat <<'HELP'
Start an Attacca node: the queue, the workers and the HTTP API in one process.

  npm start                          on 127.0.0.1:3000, with ./attacca.yaml if there is one
  npm start -- --config FILE         with another configuration file
  npm start -- --no-sample           without the sample task of the very first start

  --config FILE   configuration (YAML); also ATTACCA_CONFIG=FILE
  --version       print the version
  --no-sample     do not play the sample task on a first start without a configuration file
  -h, --help      this text

Every key of the configuration is also an environment variable, ATTACCA_<SECTION>__<KEY>: ATTACCA_HTTP__PORT=3100 npm start
The first start installs Bun and the packages of bun.lock; later starts need no network. Stop with Ctrl-C or SIGTERM: jobs
that are running go back to the queue, and the next start goes on with them. README.md lists every key.
HELP
  exit 0 ;;
esac

. "$root/scripts/install.sh"

# npm and `bun run` change to the project's folder before they call this; they say where the caller stood.
caller=''
if [ -n "${npm_package_json-}" ] && [ "$npm_package_json" -ef "$root/package.json" ]; then
  case ${npm_config_user_agent-} in bun/*) caller=${npm_config_local_prefix-} ;; *) caller=${INIT_CWD-} ;; esac
fi
if [ -n "$caller" ] && [ "$caller" != "$PWD" ]; then
  case ${ATTACCA_CONFIG-} in '' | /*) ;; *) export ATTACCA_CONFIG="$caller/$ATTACCA_CONFIG" ;; esac
  before=''
  for arg do
    shift
    if [ "$before" = --config ]; then
      case $arg in /*) ;; *) arg=$caller/$arg ;; esac
      before=''
    else
      case $arg in --config=/*) ;; --config=?*) arg=--config=$caller/${arg#--config=} ;; esac
      before=$arg
    fi
    set -- "$@" "$arg"
  done
fi

find_bun
install_packages production
bundle_node

# A proxy for the outside world must not be asked for a model on this machine. The lower-case name wins where both are set.
NO_PROXY=${no_proxy:-${NO_PROXY-}}
NO_PROXY=${NO_PROXY:+$NO_PROXY,}localhost,127.0.0.1,::1
no_proxy=$NO_PROXY
export NO_PROXY no_proxy
# Bun's fetch serves 256 requests at once unless told otherwise before it starts; each running job holds one.
export BUN_CONFIG_MAX_HTTP_REQUESTS="${BUN_CONFIG_MAX_HTTP_REQUESTS:-65535}"
exec "$bun" "$entry" "$@"
