"""What other gateways show to Prometheus, and settings for the tests of alerts."""

# As a Kong 3.9 with the filters' label_patterns shows them, and an Envoy without `stats_config`.
OF_OTHER_GATEWAYS = """\
# TYPE pw_gatehouse_key_auth_gatehouse_key_auth_refused counter
pw_gatehouse_key_auth_gatehouse_key_auth_refused{status="401"} 7
pw_gatehouse_bot_detection_gatehouse_bot_detection_passed 7
pw_gatehouse_bot_detection_gatehouse_bot_detection_matched{rule="curl"} 2
pw_gatehouse_moesif_gatehouse_moesif_queue_events 3
gatehouse_app_id_refused_403 5
gatehouse_session_lookups_joined 6
gatehouse_bot_detection_matched_ai_openai 4
gatehouse_moesif_dropped_queue_full 9
gatehouse_rate_limiting_limited 8
"""
RENAMED = {
    'gatehouse_refused{filter="key_auth",status="401"}': "7",
    'gatehouse_passed{filter="bot_detection"}': "7",
    'gatehouse_bot_detection_matched{rule="curl"}': "2",
    "gatehouse_moesif_queue_events": "3",
    'gatehouse_refused{filter="app_id",status="403"}': "5",
    'gatehouse_lookups_joined{filter="session"}': "6",
    'gatehouse_bot_detection_matched{rule="ai_openai"}': "4",
    'gatehouse_moesif_dropped{reason="queue_full"}': "9",
    "gatehouse_rate_limiting_limited": "8",
}
# What the filters do besides envoy.yaml: two ways to count together, and a small queue.
LIMITS = """\
                    match: { paths: [/orders/reports] }
                    limit_by: consumer
                    minute: 3
"""
COUNTED_TOGETHER = """\
                    match: { paths: [/orders/%s] }
                    limit_by: consumer
                    minute: 100000
                    policy: cluster
                    fault_tolerant: %s
                    admin:
                      upstream: gatehouse-admin
                      authority: 127.0.0.1:8001
                      timeout: 5000
"""
