from recipes.audit import docs
from recipes.audit.findings import REGISTRY


def test_the_documentation_is_what_the_rules_say():
    """When this fails: python -m recipes.audit.docs."""
    assert docs.PATH.read_text(encoding="utf-8") == docs.render()


def test_every_rule_is_documented_and_explained():
    text = docs.render()
    for rule in REGISTRY.values():
        assert f"### `{rule.id}`" in text
        assert len(rule.explanation) > 40
        assert rule.remedy.endswith(".")
