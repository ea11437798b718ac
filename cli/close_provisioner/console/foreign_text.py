"""Text of others in a page."""

from markupsafe import Markup, escape

from close_provisioner.visible import visible


def foreign(text: object) -> Markup:
    """Return the text as HTML that is isolated in its direction from the text around it."""
    return Markup("<bdi>{}</bdi>").format(escape(visible(text)))
