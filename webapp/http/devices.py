"""Device names in the visitor's language, and ready before the first visitor."""

from flask import Flask
from flask_babel import gettext

from webapp.services import devices


def install_devices(app: Flask) -> None:
    """Load the rules now, and give templates `device_name` and `device_kind` as filters of a user agent."""
    devices.warm_up()
    app.jinja_env.filters["device_name"] = local_device_name
    app.jinja_env.filters["device_kind"] = devices.device_kind


def local_device_name(user_agent: str) -> str:
    """`devices.device_name` in the language of the present request."""
    return _in_words(devices.describe_device(user_agent[: devices.MAX_LENGTH]))


def common_device_name(user_agent: str) -> str:
    """The same for mails: a made-up name is not delivered to anybody."""
    return _in_words(devices.describe_common_device(user_agent))


def _in_words(device: devices.Device) -> str:
    if device.program and device.platform:
        return str(gettext("%(program)s on %(platform)s", program=device.program, platform=device.platform))
    return device.program or device.platform or str(gettext("Unknown device"))
