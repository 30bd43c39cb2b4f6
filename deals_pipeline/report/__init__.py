"""The report: what a reseller opens in the morning, a page in one file. No Dagster."""

from deals_pipeline.report.data import Deals, read_deals
from deals_pipeline.report.publishing import publish_report

__all__ = ("Deals", "publish_report", "read_deals")
