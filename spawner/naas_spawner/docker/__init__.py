"""`NaasDockerSpawner`: each server in a container of its own, its folders connected by a side container. Neither has any privilege."""
