"""The goal that brings a feature of a service from its branch to where people use it."""
