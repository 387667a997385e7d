"""What Redis Cloud's API is asked, as its own description names it.

What has a name that may be there once is harmless to create again: the second is refused.
"""

from typing import Final

from pydantic import TypeAdapter

from connectors.http import Operation
from connectors.rediscloud.models import (
    Certificate,
    ChangedUser,
    Database,
    Databases,
    NewDatabase,
    NewRole,
    NewRule,
    NewUser,
    Pricing,
    Roles,
    Rules,
    Subscriptions,
    Task,
    Users,
)

_SUBSCRIPTION: Final = "/subscriptions/{subscription}"
_DATABASES: Final = f"{_SUBSCRIPTION}/databases"
_DATABASE: Final = f"{_DATABASES}/{{database}}"
_TASK: Final = TypeAdapter(Task)

LIST_SUBSCRIPTIONS: Final = Operation("GET", "/subscriptions", TypeAdapter(Subscriptions))
GET_PRICING: Final = Operation("GET", f"{_SUBSCRIPTION}/pricing", TypeAdapter(Pricing))
LIST_DATABASES: Final = Operation("GET", _DATABASES, TypeAdapter(Databases))
GET_DATABASE: Final = Operation("GET", _DATABASE, TypeAdapter(Database))
GET_CERTIFICATE: Final = Operation("GET", f"{_DATABASE}/certificate", TypeAdapter(Certificate))
CREATE_DATABASE: Final = Operation("POST", _DATABASES, _TASK, body=NewDatabase, status=202)
PRICE_DATABASE: Final = Operation("POST", _DATABASES, _TASK, body=NewDatabase, status=202, harmless=True)
DELETE_DATABASE: Final = Operation("DELETE", _DATABASE, _TASK, harmless=True)
GET_TASK: Final = Operation("GET", "/tasks/{task}", _TASK)

LIST_RULES: Final = Operation("GET", "/acl/redisRules", TypeAdapter(Rules))
CREATE_RULE: Final = Operation("POST", "/acl/redisRules", _TASK, body=NewRule, status=202, harmless=True)
UPDATE_RULE: Final = Operation("PUT", "/acl/redisRules/{one}", _TASK, body=NewRule, status=202, harmless=True)
DELETE_RULE: Final = Operation("DELETE", "/acl/redisRules/{one}", _TASK, status=202, harmless=True)
LIST_ROLES: Final = Operation("GET", "/acl/roles", TypeAdapter(Roles))
CREATE_ROLE: Final = Operation("POST", "/acl/roles", _TASK, body=NewRole, status=202, harmless=True)
DELETE_ROLE: Final = Operation("DELETE", "/acl/roles/{one}", _TASK, harmless=True)
LIST_USERS: Final = Operation("GET", "/acl/users", TypeAdapter(Users))
CREATE_USER: Final = Operation("POST", "/acl/users", _TASK, body=NewUser, status=202, harmless=True)
UPDATE_USER: Final = Operation("PUT", "/acl/users/{one}", _TASK, body=ChangedUser, harmless=True)
DELETE_USER: Final = Operation("DELETE", "/acl/users/{one}", _TASK, harmless=True)
