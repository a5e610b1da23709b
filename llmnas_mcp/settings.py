"""Where things live and who may call: the environment LLMNAS_* and its defaults."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from llmnas_mcp.errors import LabError


def user_folder() -> Path:
    """The folder that holds what the laboratory remembers when nothing else is said."""
    return Path(platformdirs.user_data_dir("llmnas", appauthor=False))


class Settings(BaseSettings):
    """Settings read from the environment; README has the table."""

    model_config = SettingsConfigDict(env_prefix="LLMNAS_", env_ignore_empty=True)

    store: str = Field(default_factory=lambda: f"sqlite:///{user_folder() / 'llmnas.db'}")
    data: Path = Field(default_factory=lambda: user_folder() / "tables")
    http_token: SecretStr | None = None
    http_hosts: str = ""

    def bearer(self) -> str | None:
        """The token that HTTP clients send; raises LabError for one that no header can carry."""
        token = self.http_token.get_secret_value().strip() if self.http_token else ""
        if not all("!" <= character <= "~" for character in token):
            raise LabError(
                "LLMNAS_HTTP_TOKEN must be printable ASCII without spaces; `openssl rand -hex 32` makes one."
            )
        return token or None

    def host_names(self) -> list[str]:
        """The names in LLMNAS_HTTP_HOSTS."""
        return [name.strip() for name in self.http_hosts.split(",") if name.strip()]
