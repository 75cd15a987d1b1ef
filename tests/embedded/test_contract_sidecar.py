# ruff: noqa: F401 - what is imported is what pytest collects
"""The sidecar at the double: the very tests that hold it at the real server, source only.

Left out is what the double is not: a server that closes rooms, that measures connection quality,
that is killed or frozen as a process.
"""

from tests.livekit.test_calls import (
    sidecar,
    test_a_resumed_session_of_another_room_is_closed_at_the_join,
    test_a_token_that_is_not_of_kind_agent_is_warned_of_once,
    test_an_expired_token_waits_for_a_newer_one,
    test_chat_counts_for_the_session_that_is_open_when_it_begins,
    test_close_session_removes_the_person_and_answers_after_the_notification,
    test_create_connection_lets_a_person_in_with_the_grants_asked_for,
    test_create_connection_never_gives_the_agents_own_identity,
    test_name_metadata_and_attributes_follow_the_participant,
    test_sessions_go_on_in_the_next_process_under_their_ids,
    test_with_a_token_alone_the_capabilities_say_what_cannot_be_done,
)
from tests.livekit.test_failures import (
    test_a_failed_connect_names_the_category_and_the_fix_and_the_process_stays_up,
    test_a_path_in_the_url_is_not_found,
    test_no_token_and_no_secret_is_ever_shown,
    test_tls_to_a_server_without_it_is_a_matter_of_tls,
    test_without_configuration_the_sidecar_says_so_waits_and_then_connects,
)
from tests.livekit.test_first_light import (
    test_a_person_who_joins_and_leaves_is_one_created_and_one_closed,
    test_the_environment_alone_is_enough_to_connect,
)
from tests.livekit.test_people import (
    test_a_rejoin_under_a_new_sid_ends_the_old_session_and_begins_a_new_one,
    test_one_who_is_no_person_gets_no_session_and_no_line,
    test_people_who_are_there_before_the_agent_get_their_sessions,
    test_two_people_at_once_have_a_session_each_and_end_apart,
)
