"""Creates Custom Object Types in Close CRM exactly once, and announces how it went.

Every Lambda function ships this one package. Where to begin reading:

    api.py, webhooks.py, events.py,
    worker.py, sweeper.py           the doors (Lambda handlers)
    provision.py                    the use case that stands behind every door
    contract.py, close_words.py,
    errors.py                       the words: what is asked and answered, what Close says, what can go wrong
"""

__version__ = "0.2.0"
