-- Says in the catalog who committed, and by what that commit is known again.  $author, $token
CALL history.set_commit_message($author, NULL, extra_info => $token);
