"""Create Custom Object Types in Close CRM exactly once, and publish the outcomes.

Every Lambda function ships this one package. Each folder may import only from the rows below it:

    handlers/                       the Lambda functions, one file each
    service.py, ingest/             the parts put together; signed webhooks and partner events to requests
    reconcile/, credentials/        the use case (start with reconcile/provisioner.py); the tenants' secrets
    close/, ledger/, messaging/     the Close API; the DynamoDB table; the queue and the topic
    contract/                       requests, outcomes and errors
"""

__version__ = "0.2.0"
