#!/usr/bin/env bash
# Builds the images of the components, and pushes them to a registry or loads them into kind.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
    cat <<'END'
Usage: ./build.sh [OPTION]... [COMPONENT]...

Builds an image of each component named, of all of them when none is.

  --with TOOL         docker or buildah [docker where there is one, else buildah]
  --registry NAME     where the images belong, e.g. registry.example.com/me
                      [$REGISTRY, else localhost/fast-kubeflow]
  --tag TAG           [$TAG, else 1.0]
  --base-image IMAGE  what the images start from [the Dockerfile's own choice]
  --push              push the images to the registry
  --kind CLUSTER      load the images into a kind cluster, which needs no registry
  -h, --help          show this

The tag should change when a program does: Kubernetes does not fetch the same tag twice.
END
}

fail() {
    echo "build.sh: $1" >&2
    exit "${2:-2}"
}

need() {
    command -v "$1" >/dev/null || fail "$1 is not installed; $2"
}

tool="" registry="${REGISTRY:-localhost/fast-kubeflow}" tag="${TAG:-1.0}"
base_image="" push=no cluster="" components=()

while (($#)); do
    case $1 in
        --with | --registry | --tag | --base-image | --kind)
            [[ -n "${2:-}" ]] || fail "$1 needs a value; see --help"
            case $1 in
                --with) tool=$2 ;;
                --registry) registry=${2%/} ;;
                --tag) tag=$2 ;;
                --base-image) base_image=$2 ;;
                --kind) cluster=$2 ;;
            esac
            shift 2
            ;;
        --push) push=yes && shift ;;
        -h | --help) usage && exit ;;
        -*) fail "no option $1; see --help" ;;
        *) components+=("${1%/}") && shift ;;
    esac
done

if ((${#components[@]} == 0)); then
    for file in */Dockerfile; do
        components+=("${file%/Dockerfile}")
    done
fi
for component in "${components[@]}"; do
    [[ $component != */* && -f $component/Dockerfile ]] ||
        fail "no component $component here; there are: $(printf '%s ' */Dockerfile | sed 's|/Dockerfile||g')"
done
if [[ -z $tool ]]; then
    tool=buildah
    if docker info >/dev/null 2>&1; then
        tool=docker
    fi
fi
case $tool in
    docker | buildah) need "$tool" "install it, or take the other: --with docker or --with buildah" ;;
    *) fail "--with docker or --with buildah, not $tool" ;;
esac
[[ -z $cluster ]] || need kind "see https://kind.sigs.k8s.io"
if [[ $push == yes && ${registry%%/*} == localhost ]]; then
    fail "--push needs a registry to push to; name it with --registry"
fi

build=(build)
[[ $tool == docker ]] || build=(build "--layers=${BUILDAH_LAYERS:-true}")
[[ -z $base_image ]] || build+=(--build-arg "BASE_IMAGE=$base_image")

# Docker speaks plain HTTP with a registry on this machine, buildah where it is told to.
buildah_push=(push)
[[ ! ${registry%%/*} =~ ^(localhost|127\.0\.0\.1): ]] || buildah_push+=(--tls-verify=false)

# Through a file: `kind load docker-image` fails with Docker's newer image store.
load_into_kind() {
    local folder status=0
    folder=$(mktemp -d)
    save_image "$1" "$folder/image.tar" &&
        kind load image-archive "$folder/image.tar" --name "$cluster" || status=$?
    rm -r "$folder"
    return "$status"
}

save_image() {
    if [[ $tool != docker ]]; then
        buildah push "$1" "docker-archive:$2:$1"
        return
    fi
    local platform
    platform=$(docker version --format '{{.Server.Os}}/{{.Server.Arch}}')
    docker image save ${platform:+--platform "$platform"} "$1" -o "$2" ||
        docker image save "$1" -o "$2" # Docker before 28 knows no platform here
}

for component in "${components[@]}"; do
    image=$registry/$component:$tag
    echo "build.sh: $image"
    "$tool" "${build[@]}" -f "$component/Dockerfile" -t "$image" .
    if [[ $push == yes ]]; then
        if [[ $tool == docker ]]; then docker push "$image"; else buildah "${buildah_push[@]}" "$image"; fi
    fi
    [[ -z $cluster ]] || load_into_kind "$image"
done

echo "build.sh: done. To compile the pipeline for these images:"
printf '    REGISTRY=%q TAG=%q python pipeline.py my_pipeline.yaml\n' "$registry" "$tag"
