"""Growth: what a request costs while requests, tenants, types and fields become more, in simulated time."""
