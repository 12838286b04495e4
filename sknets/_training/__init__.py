"""The corridor between estimators and networks: minibatches, optimisers, schedules, stopping."""
