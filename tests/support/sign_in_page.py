"""Signing in with a browser, as people do."""

from __future__ import annotations

import re

from playwright.sync_api import Page
from product import Product


def sign_in(page: Page, product: Product, name: str) -> None:
    """From the hub's page through the embedded IAM's, and back."""
    page.goto(product.url)
    page.get_by_role("link", name=re.compile("Sign in with|Accedi con")).click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(name)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/hub/"))
