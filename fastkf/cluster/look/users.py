"""With users: the profile, its keys, and whether calls from outside get in."""

from collections.abc import Iterator
from typing import Any

from fastkf.base.diagnosis import Check
from fastkf.cluster.look import room
from fastkf.cluster.look.kubectl import Kubectl, NotSeenError
from fastkf.cluster.look.store import BUCKET

PROFILES = "profiles.kubeflow.org"
KEYS = "mlpipeline-minio-artifact"
MAKER = "kubeflow-pipelines-profile-controller"
KUBERNETES_ISSUER = "https://kubernetes.default.svc.cluster.local"


def look_at_users(cluster: Kubectl, namespace: str, kinds: list[str]) -> Iterator[Check]:
    """The user's profile and keys, and whether calls from outside get in.

    Args:
        namespace: the user's.
        kinds: those that somebody has added to the cluster.
    """
    if PROFILES in kinds:
        yield check_profile(cluster, namespace)
    yield check_keys(cluster, namespace)
    if "requestauthentications.security.istio.io" not in kinds:
        return
    try:
        yield check_tokens(cluster)
        if "inferenceservices.serving.kserve.io" in kinds:
            yield check_calls(cluster, namespace)
    except NotSeenError as error:
        remedy = "kubectl get requestauthentications,authorizationpolicies --all-namespaces"
        yield Check("Gateway", None, f"its rules may not be looked at: {error}", remedy)


def check_profile(cluster: Kubectl, namespace: str) -> Check:
    """Is the namespace a profile's? Then Kubeflow has put into it what runs there need."""
    look = f"kubectl get profile {namespace} -o yaml"
    try:
        owner = cluster.ask("get", PROFILES, namespace, "-o", "jsonpath={.spec.owner.name}")
    except NotSeenError as error:
        if error.is_missing:
            detail = f"{namespace} is no profile: it has neither keys nor service accounts for runs"
            return Check("Profile", False, detail, "Yours: kubectl get profiles, then --namespace")
        return Check("Profile", None, f"may not be looked at: {error}", f"Its owner may: {look}")
    return Check("Profile", True, f"{namespace}, of {owner.strip() or 'an owner it does not name'}")


def check_keys(cluster: Kubectl, namespace: str) -> Check:
    """Are the store's keys there, and where may they write?"""
    entries = room.list_entries(cluster, namespace, KEYS)
    place = f"s3://{BUCKET}/private/{namespace}/"
    look = f"kubectl -n {namespace} get secret {KEYS}"
    if entries is None:
        return Check("Store keys", None, "whether you have any was not told", look)
    if not entries:
        remedy = f"{look}; kubectl -n kubeflow rollout restart deployment/{MAKER} makes it"
        return Check("Store keys", False, f"no Secret {KEYS} in {namespace}", remedy)
    return Check("Store keys", True, f"in the Secret {KEYS}; they may write below {place} only")


def check_tokens(cluster: Kubectl) -> Check:
    """Does the gateway take tokens of `kubectl create token`?"""
    path = "jsonpath={.items[*].spec.jwtRules[*].issuer}"
    issuers = cluster.ask("-n", "istio-system", "get", "requestauthentications", "-o", path).split()
    if KUBERNETES_ISSUER in issuers:
        return Check("Tokens", True, "those of `kubectl create token` are taken (--token-file)")
    remedy = (
        "Sign in with --dex-user; or in the platform's checkout: sed -i "
        "'s|m2m-dex-only|m2m-dex-and-kind|' example/kustomization.yaml, and apply it again"
    )
    told = f"of {', '.join(issuers)} only" if issuers else "of nobody"
    return Check("Tokens", None, f"taken {told}, not of `kubectl create token`", remedy)


def check_calls(cluster: Kubectl, namespace: str) -> Check:
    """May anything outside of the namespace ask the models that are served in it?"""
    name = "Calls to models"
    policies = cluster.list_items("-n", namespace, "get", "authorizationpolicies")
    allowing = [one["metadata"]["name"] for one in policies if _lets_models_be_asked(one)]
    if allowing:
        return Check(name, True, f"from outside of {namespace}: by the rule {allowing[0]}")
    detail = f"no rule in {namespace} lets calls from outside through to served models (403)"
    remedy = (
        "labs/kserve/README.md, On the whole platform, has a rule to apply; see what there is: "
        f"kubectl -n {namespace} get authorizationpolicies"
    )
    return Check(name, None, detail, remedy)


def _lets_models_be_asked(policy: dict[str, Any]) -> bool:
    spec = policy.get("spec") or {}
    if spec.get("action", "ALLOW") != "ALLOW" or not spec.get("rules"):
        return False
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return any("serving.k" in label for label in labels)
