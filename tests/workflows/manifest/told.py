"""A manifest with everything in it, and a small one, for the tests of this folder."""

from typing import Final

WHOLE: Final = """\
# yaml-language-server: $schema=banksman.schema.json
# The shop's front end.
version: 1

service:
  name: shop-web  # as people call it
  description: The shop, as customers see it.
  owner:
    team: web
    people: [github:alice, slack:U0BOB]
    contact: "#team-web in Slack"

# How it is tested.
test:
  command: [make, test]
  directory: services/web
  purpose: package-registries
  limits: {memory_mib: 2048, disk_mib: 1024, cpus: 2, time: 15m}
  artifacts: [reports/junit.xml]
build:
  command:
    - sh
    - -c
    - |
      make build
      make check
migrate:
  command: [alembic, upgrade, head]
  database: orders

pulumi:
  directory: infra
  stacks:
    staging: staging  # first
    production: live

needs:
  neon:
    - name: orders
      project: shop-quiet-moon-17281
      branch: main
      database: orders
      hours: 2
      max_cu: 1
  redis:
    - provider: upstash
      name: shop-sessions
      region: eu-west-1
      most_usd: 10
      consumers: [{name: shop-web, prefix: "session:", access: write}]
      environments: [staging]
    - provider: rediscloud
      name: shop-sessions
      subscription: shop
      memory_mb: 512
      eviction: false
      most_usd: 100
      consumers: [{name: shop-web, prefix: "session:"}]
      environments: [production]
  qdrant:
    - name: shop-search
      provider: aws
      region: eu-central-1
      package: free2
      collections:
        - alias: products
          collection: products-v2
          distance: Cosine
          on_disk: true
          indexes: {category: keyword}
          fewest_points: 100
  estuary:
    - name: acme/shop/orders
      file: flows/orders.flow.yaml

verify:
  within: 20m
  output: url
  http:
    - path: /healthz
      status: [200, 204]
      contains: ok
      every: 5s
      for: 2m
      tolerate: 1
    - url: https://shop.example.com/
  metrics:
    - name: error-rate
      expression: sum(rate(http_errors_total{job="shop"}[5m])) / sum(rate(http_requests_total[5m]))
      holds: "< 0.01"
      every: 15s
      for: 10m

rollback:
  code: revert
  infrastructure: previous
  schema: down
  down:
    command: [alembic, downgrade, "-1"]

policy:
  environments: [staging, production]
  phase: production
  actions:
    - deny: pulumi.destroy_stack
      where: {resource: live}
      because: people alone
      environments: [production]
  approvals:
    - action: pulumi.update_stack
      environments: [production]
      quorum: 2
      groups: [platform]
      also: [security]
      approve_within: 4h
      execute_within: 30m
      cost_limits: {month: 50}
      unverified_requester: deny
      step_up: webauthn
      escalate: false
      break_glass: false
  budget: {day: 20, goal: 5}
"""

SMALL: Final = """\
version: 1
service:
  name: shop
  owner: {team: web}
"""
"""The smallest one: what is below it is added by tests."""


def with_(more: str) -> str:
    """The smallest manifest and more; its first line is the fifth."""
    return SMALL + more
